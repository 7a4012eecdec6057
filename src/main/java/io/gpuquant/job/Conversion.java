package io.gpuquant.job;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.VerificationException;
import io.gpuquant.format.AwqConfig;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.LinearBuilder;
import io.gpuquant.format.PackQuantizedConfig;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackedLinear;
import io.gpuquant.format.TargetScheme;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.CheckpointLayout;
import io.gpuquant.safetensors.CheckpointWriter;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.safetensors.TensorSpec;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Rewrites a quantized checkpoint in another layout: the same codes, zero points and scales, and every other tensor byte for
 * byte. What was written is read back and compared, value by value, before the folder gets its name.
 */
public final class Conversion {

    /** Output features of a piece of work; codes of different pieces share no word in any layout. */
    private static final int PIECE = 32;

    private static final String WEIGHT = ".weight";

    private final Path folder;
    private final Path output;
    private final boolean overwrite;
    private final ConversionTarget target;
    private final long maxShardBytes;

    /**
     * @param overwrite whether a finished output of that name may be replaced
     */
    public Conversion(Path folder, Path output, boolean overwrite, ConversionTarget target) {
        this(folder, output, overwrite, target, CheckpointLayout.DEFAULT_MAX_SHARD_BYTES);
    }

    /**
     * @param maxShardBytes tensor bytes that a file of the output may have
     */
    Conversion(Path folder, Path output, boolean overwrite, ConversionTarget target, long maxShardBytes) {
        this.folder = folder;
        this.output = output;
        this.overwrite = overwrite;
        this.target = target;
        this.maxShardBytes = maxShardBytes;
    }

    /**
     * What was made.
     *
     * @param linears that were repacked
     * @param copied tensors that were copied
     * @param bytes of all tensors
     * @param warnings which engines load it and which do not, a sentence each
     */
    public record Result(Path output, int linears, int copied, long bytes, List<String> warnings) {}

    /**
     * Runs to the end.
     *
     * @throws io.gpuquant.GpuQuantException when it cannot be done; nothing is left behind then
     */
    public Result run() {
        try (ConversionSource source = ConversionSource.open(folder)) {
            TargetScheme scheme = target.scheme(source);
            CheckpointLayout layout =
                    CheckpointLayout.of(tensors(source, scheme), CheckpointLayout.DEFAULT_METADATA, maxShardBytes);
            OutputFolder.check(output, folder, overwrite, layout.fileBytes());
            OutputFolder.makeAtOnce(output, partial -> write(source, scheme, layout, partial));
            return new Result(
                    output,
                    source.linears().size(),
                    copied(source, layout).size(),
                    layout.totalBytes(),
                    warnings(source, scheme));
        }
    }

    /** The source's tensors in their order, with the parts of each linear, where its codes were, replaced by what they become. */
    private static List<TensorSpec> tensors(ConversionSource source, TargetScheme scheme) {
        Map<String, LinearSpec> byCodes = new LinkedHashMap<>();
        Set<String> parts = new HashSet<>();
        for (LinearSpec linear : source.linears()) {
            byCodes.put(source.scheme().codes(linear.name()), linear);
            source.scheme().specs(linear.name(), linear.in(), linear.out()).forEach(part -> parts.add(part.name()));
        }
        List<TensorSpec> tensors = new ArrayList<>();
        for (TensorInfo info : source.checkpoint().tensors()) {
            LinearSpec linear = byCodes.get(info.name());
            if (linear != null) {
                tensors.addAll(scheme.specs(linear.name(), linear.in(), linear.out()));
            } else if (!parts.contains(info.name())) {
                tensors.add(new TensorSpec(info.name(), info.dtype(), info.shape()));
            }
        }
        return tensors;
    }

    private static List<TensorInfo> copied(ConversionSource source, CheckpointLayout layout) {
        Set<String> packed = new HashSet<>();
        source.linears()
                .forEach(linear -> source.scheme()
                        .specs(linear.name(), linear.in(), linear.out())
                        .forEach(part -> packed.add(part.name())));
        return source.checkpoint().tensors().stream()
                .filter(info -> layout.contains(info.name()) && !packed.contains(info.name()))
                .toList();
    }

    private void write(ConversionSource source, TargetScheme scheme, CheckpointLayout layout, Path partial) {
        Map<String, Long> checksums;
        try (CheckpointWriter writer = CheckpointWriter.create(partial, layout)) {
            TensorOutput tensors = new TensorOutput(writer::write);
            copied(source, layout)
                    .forEach(info -> tensors.write(
                            info.name(), source.checkpoint().tensor(info.name()).data()));
            for (LinearSpec linear : source.linears()) {
                try (Arena arena = Arena.ofShared()) {
                    repack(source, scheme, linear, arena)
                            .tensors()
                            .forEach(tensor -> tensors.write(tensor.name(), tensor.data()));
                }
            }
            checksums = tensors.takeChecksums();
            SideFiles.writeConverted(
                    new SideFiles.Converted(
                            folder, source.config(), scheme, quantizationConfig(source, scheme), layout, checksums),
                    partial);
            writer.finish();
        }
        verify(source, scheme, checksums, partial);
    }

    private static LinearBuilder repack(ConversionSource source, TargetScheme scheme, LinearSpec spec, Arena arena) {
        PackedLinear from = source.linear(spec.name());
        LinearBuilder builder = scheme.builder(spec.name(), spec.in(), spec.out(), arena);
        forEachOutput(spec, out -> {
            for (int in = 0; in < spec.in(); in++) {
                builder.code(in, out, from.code(in, out));
            }
        });
        for (int group = 0; group < scheme.groups(spec.in()); group++) {
            for (int out = 0; out < spec.out(); out++) {
                builder.zero(group, out, from.zero(group, out));
                builder.scale(group, out, from.scale(group, out));
            }
        }
        return builder;
    }

    private static void forEachOutput(LinearSpec spec, IntConsumer work) {
        int pieces = (spec.out() + PIECE - 1) / PIECE;
        IntStream.range(0, pieces).parallel().forEach(piece -> {
            for (int out = piece * PIECE; out < Math.min(spec.out(), (piece + 1) * PIECE); out++) {
                work.accept(out);
            }
        });
    }

    /** Opens what was written and compares every value with the source's. */
    private static void verify(
            ConversionSource source, TargetScheme scheme, Map<String, Long> checksums, Path partial) {
        try (Checkpoint made = Checkpoint.open(partial)) {
            checksums.forEach((name, expected) -> {
                if (TensorOutput.checksum(made.tensor(name).data()) != expected) {
                    throw new VerificationException(made.fileOf(name) + ": " + name
                            + " is not what was written; the disk may be failing, run again on another");
                }
            });
            for (LinearSpec spec : source.linears()) {
                PackedLinear ours = scheme.read(name -> made.find(name).map(info -> made.tensor(name)), spec.name());
                PackedLinear theirs = source.linear(spec.name());
                forEachOutput(spec, out -> requireEqual(made, scheme, spec, ours, theirs, out));
            }
        }
    }

    private static void requireEqual(
            Checkpoint made, TargetScheme scheme, LinearSpec spec, PackedLinear ours, PackedLinear theirs, int out) {
        boolean equal = true;
        for (int in = 0; in < spec.in(); in++) {
            equal &= ours.code(in, out) == theirs.code(in, out) && ours.group(in) == theirs.group(in);
        }
        for (int group = 0; group < scheme.groups(spec.in()); group++) {
            equal &= ours.zero(group, out) == theirs.zero(group, out)
                    && ours.scale(group, out) == theirs.scale(group, out);
        }
        if (!equal) {
            String codes = scheme.codes(spec.name());
            throw new VerificationException(made.fileOf(codes) + ": output feature " + out + " of " + codes
                    + " is not what was converted; this is a fault of gpuquant, please report it");
        }
    }

    private static ObjectNode quantizationConfig(ConversionSource source, TargetScheme scheme) {
        List<String> kept = keptLinears(source);
        return switch (scheme) {
            case AwqScheme awq -> AwqConfig.write(awq, kept);
            case PackQuantizedScheme packed -> PackQuantizedConfig.write(packed, kept);
        };
    }

    /** Matrices that are not quantized, but for the embedding and the output head, which no engine takes for quantized. */
    private static List<String> keptLinears(ConversionSource source) {
        return source.checkpoint().tensors().stream()
                .filter(info -> info.name().endsWith(WEIGHT) && info.shape().rank() == 2)
                .map(info -> info.name().substring(0, info.name().length() - WEIGHT.length()))
                .filter(name -> !name.endsWith("lm_head") && !name.endsWith("embed_tokens"))
                .toList();
    }

    private static List<String> warnings(ConversionSource source, TargetScheme scheme) {
        List<String> warnings = new ArrayList<>(LoaderNotes.of(scheme, source.linears()));
        if (scheme instanceof PackQuantizedScheme packed && packed.scaleType() != source.modelType()) {
            warnings.add(
                    "config.json says bfloat16, and engines round scales to the type of the model, of the source as of"
                            + " this: " + source.survey().inexactInBf16().orElse("a scale")
                            + ", which is not a BF16 number");
        }
        return warnings;
    }
}
