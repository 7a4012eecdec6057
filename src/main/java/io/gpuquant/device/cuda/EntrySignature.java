package io.gpuquant.device.cuda;

import io.gpuquant.device.KernelArguments.Argument;
import io.gpuquant.device.KernelEntry;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The sizes of a kernel's parameters, read from its PTX. The driver copies as many bytes as the kernel declares from
 * wherever the argument pointers point; arguments that do not fit would make it read, or jump, anywhere.
 */
final class EntrySignature {

    private static final Pattern COMMENT = Pattern.compile("//[^\n]*|/\\*.*?\\*/", Pattern.DOTALL);
    private static final Pattern PARAMETER = Pattern.compile(
            "\\.param\\b(?:\\s*\\.align\\s+\\d+)?\\s*\\.[busf](8|16|32|64)\\b[^,\\[]*(?:\\[\\s*(\\d+)\\s*])?");

    private final KernelEntry entry;
    private final int[] sizes;

    private EntrySignature(KernelEntry entry, int[] sizes) {
        this.entry = entry;
        this.sizes = sizes;
    }

    /** The signature, if the module has an entry of this name. */
    static Optional<EntrySignature> of(KernelEntry entry) {
        String text = COMMENT.matcher(entry.module().text()).replaceAll(" ");
        Matcher head = Pattern.compile(
                        "\\.entry\\s+" + Pattern.quote(entry.name()) + "(?![\\w$])\\s*(?:\\(([^)]*)\\))?")
                .matcher(text);
        if (!head.find()) {
            return Optional.empty();
        }
        List<Integer> sizes = new ArrayList<>();
        Matcher parameter = PARAMETER.matcher(head.group(1) == null ? "" : head.group(1));
        while (parameter.find()) {
            int elements = parameter.group(2) == null ? 1 : Integer.parseInt(parameter.group(2));
            sizes.add(Integer.parseInt(parameter.group(1)) / Byte.SIZE * elements);
        }
        return Optional.of(new EntrySignature(
                entry, sizes.stream().mapToInt(Integer::intValue).toArray()));
    }

    /** @throws IllegalArgumentException unless there are as many arguments as parameters, of the same sizes */
    void requireFit(List<Argument> arguments) {
        boolean fit = arguments.size() == sizes.length;
        for (int i = 0; fit && i < sizes.length; i++) {
            fit = arguments.get(i).kind().bytes() == sizes[i];
        }
        if (!fit) {
            throw new IllegalArgumentException("arguments "
                    + arguments.stream().map(Argument::kind).toList() + " for " + entry
                    + ", whose parameters have " + Arrays.toString(sizes) + " bytes");
        }
    }
}
