package io.gpuquant.device;

import io.gpuquant.ResourceException;
import io.gpuquant.UsageException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Finds and opens devices. */
public final class Devices {

    private static final Pattern SELECTOR = Pattern.compile("([a-z]+)(?::(\\d{1,4}))?");

    private static final Pattern SEVERAL = Pattern.compile("([a-z]+):(\\d{1,4}(?:,\\d{1,4})+)");

    private final List<DeviceProvider> providers;

    private Devices(List<DeviceProvider> providers) {
        this.providers = providers.stream()
                .sorted(Comparator.comparingInt(DeviceProvider::preference).reversed())
                .toList();
    }

    /** The kinds of devices that this installation knows. */
    public static Devices installed() {
        return new Devices(ServiceLoader.load(DeviceProvider.class).stream()
                .map(ServiceLoader.Provider::get)
                .toList());
    }

    /** The given kinds of devices. */
    public static Devices of(DeviceProvider... providers) {
        return new Devices(List.of(providers));
    }

    /** The kinds of devices, the preferred first. */
    public List<DeviceProvider> providers() {
        return providers;
    }

    /**
     * The selectors of the devices that {@code selector} names: itself, or {@code cuda:0} and {@code cuda:1} of
     * {@code cuda:0,1}.
     *
     * @throws UsageException when it names one of them twice
     */
    public static List<String> each(String selector) {
        Matcher matcher = SEVERAL.matcher(selector);
        if (!matcher.matches()) {
            return List.of(selector);
        }
        List<Integer> indices =
                Arrays.stream(matcher.group(2).split(",")).map(Integer::valueOf).toList();
        if (Set.copyOf(indices).size() < indices.size()) {
            throw new UsageException("--device " + selector + " names a device twice; name each once");
        }
        return indices.stream().map(index -> matcher.group(1) + ":" + index).toList();
    }

    /**
     * Opens the devices that {@code selector} names: one, as {@link #open}, or several of a kind, as {@code cuda:0,1}.
     *
     * @throws UsageException when the selector names no devices, or one of them twice
     * @throws ResourceException when one of them is not here
     */
    public List<Device> openAll(String selector, DeviceOptions options) {
        List<Device> opened = new ArrayList<>();
        try {
            for (String each : each(selector)) {
                opened.add(open(each, options));
            }
            return opened;
        } catch (RuntimeException failure) {
            opened.forEach(Device::close);
            throw failure;
        }
    }

    /**
     * Opens the device that {@code selector} names: {@code auto}, a kind such as {@code host}, or a kind and an index such
     * as {@code cuda:0}.
     *
     * @throws UsageException when the selector names no kind of device
     * @throws ResourceException when there is no such device here
     */
    public Device open(String selector, DeviceOptions options) {
        if (selector.equals("auto")) {
            for (DeviceProvider provider : providers) {
                if (!provider.probe().devices().isEmpty()) {
                    return provider.open(0, options);
                }
            }
            throw new ResourceException("no device was found; 'gpuquant devices' says why");
        }
        Matcher matcher = SELECTOR.matcher(selector);
        if (SEVERAL.matcher(selector).matches()) {
            throw new UsageException("--device " + selector
                    + " names several devices, which only gptq, awq, rtn and plan can use; name one");
        }
        if (!matcher.matches()) {
            throw new UsageException("--device " + selector + " is not a device; use auto, host or cuda:N");
        }
        DeviceProvider provider = providers.stream()
                .filter(candidate -> candidate.kind().equals(matcher.group(1)))
                .findFirst()
                .orElseThrow(() ->
                        new UsageException("--device " + selector + " is not a device; use auto, host or cuda:N"));
        int index = matcher.group(2) == null ? 0 : Integer.parseInt(matcher.group(2));
        DeviceProvider.Probe probe = provider.probe();
        if (probe.devices().isEmpty()) {
            throw new ResourceException("--device " + selector + " is not there: " + probe.reason()
                    + "; use --device host to run without it");
        }
        if (!provider.has(index)) {
            throw new ResourceException("--device " + selector + " is not there: this machine has "
                    + probe.devices().size() + " such device(s), numbered from 0");
        }
        return provider.open(index, options);
    }
}
