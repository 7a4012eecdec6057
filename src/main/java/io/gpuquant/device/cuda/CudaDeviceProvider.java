package io.gpuquant.device.cuda;

import io.gpuquant.ResourceException;
import io.gpuquant.device.BlasFactory;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceProvider;
import java.lang.foreign.SymbolLookup;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;

/**
 * NVIDIA GPUs of compute capability 8.0 (Ampere) and newer, with driver 470 or newer. Nothing of JCuda is touched before the
 * driver is known to be there.
 */
public final class CudaDeviceProvider implements DeviceProvider {

    private static final int PREFERENCE = 100;

    private final String driverLibrary;

    /** Called by the service loader. */
    public CudaDeviceProvider() {
        this(DriverLibrary.NAME);
    }

    CudaDeviceProvider(String driverLibrary) {
        this.driverLibrary = driverLibrary;
    }

    @Override
    public String kind() {
        return "cuda";
    }

    @Override
    public int preference() {
        return PREFERENCE;
    }

    /** Looks for GPUs; whatever goes wrong is the reason why there are none. */
    @Override
    public Probe probe() {
        try {
            loadDriver();
            return new Probe(infos(Gpu.usable()), "");
        } catch (NoGpuException e) {
            return new Probe(List.of(), String.valueOf(e.getMessage()));
        } catch (RuntimeException | LinkageError e) {
            return new Probe(List.of(), "the NVIDIA driver cannot be used: " + e);
        }
    }

    @Override
    public Device open(int index, DeviceOptions options) {
        try {
            SymbolLookup driver = loadDriver();
            List<Gpu> gpus = Gpu.usable();
            if (index < 0 || index >= gpus.size()) {
                throw new ResourceException(id(index) + " is not there: this machine has " + gpus.size()
                        + " usable GPU(s), numbered from 0");
            }
            BlasChoice blas = new BlasChoice(
                    CublasSearch.ofThisMachine(),
                    () -> ServiceLoader.load(BlasFactory.class).findFirst());
            return new CudaDevice(driver, gpus.get(index).ordinal(), infos(gpus).get(index), options, blas);
        } catch (NoGpuException e) {
            throw new ResourceException(
                    id(index) + " cannot be opened: " + e.getMessage() + "; use --device host to run without it", e);
        }
    }

    private SymbolLookup loadDriver() throws NoGpuException {
        SymbolLookup driver = DriverLibrary.load(driverLibrary);
        JCudaLibrary.load(System.getProperty("java.library.path", ""));
        return driver;
    }

    private static List<DeviceInfo> infos(List<Gpu> gpus) {
        String driver = "CUDA " + Gpu.cudaVersion(Gpu.driverVersion());
        List<DeviceInfo> infos = new ArrayList<>();
        for (int index = 0; index < gpus.size(); index++) {
            infos.add(gpus.get(index).info(id(index), driver));
        }
        return infos;
    }

    private static String id(int index) {
        return "cuda:" + index;
    }
}
