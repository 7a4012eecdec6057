package io.gpuquant.job;

import io.gpuquant.VerificationException;
import io.gpuquant.evaluate.OpenModel;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.ElementScheme;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.format.TensorReader;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Compares a checkpoint with the one it was made from. */
final class SourceComparison {

    /** Output features of a linear that are unpacked, spread evenly; unpacking bit by bit is slow on purpose. */
    private static final int SAMPLED_OUTPUTS = 32;

    /** A linear whose error is as large as its weights does not come from them. */
    private static final double LARGEST_ERROR = 0.9;

    /** Methods that leave norms as they are. */
    private static final Set<String> UNSCALED = Set.of("rtn", "gptq");

    private final Checkpoint checkpoint;
    private final Checkpoint source;
    private final Optional<PackedScheme> scheme;
    private final Optional<ElementScheme> elements;
    private final boolean scales;
    private final Set<String> scaled = new HashSet<>();
    private final Map<String, LinearSpec> byWeight = new HashMap<>();
    private final Map<String, LinearSpec> byBias = new HashMap<>();
    private int compared;
    private double worstError;
    private String worstLinear = "";

    SourceComparison(Checkpoint checkpoint, Checkpoint source, OpenModel model, List<LinearSpec> quantized) {
        this.checkpoint = checkpoint;
        this.source = source;
        scheme = model.scheme();
        elements = model.elements();
        scales = scheme.map(it -> scales(it, checkpoint)).orElse(model.mayBeScaled());
        model.structure().layers().forEach(layer -> {
            scaled.addAll(List.of(layer.attentionNorm(), layer.mlpNorm()));
            layer.router().ifPresent(router -> scaled.add(router.linear().weightName()));
        });
        quantized.forEach(linear -> {
            byWeight.put(linear.weightName(), linear);
            byBias.put(linear.biasName(), linear);
        });
    }

    Verification.Summary compare() {
        for (TensorInfo info : source.tensors()) {
            LinearSpec linear = byWeight.get(info.name());
            if (linear != null) {
                compareLinear(linear);
            } else {
                compareTensor(info);
            }
            compared++;
        }
        return new Verification.Summary(
                checkpoint.tensors().size(), byWeight.size(), compared, worstError, worstLinear);
    }

    private void compareTensor(TensorInfo info) {
        TensorInfo found = checkpoint
                .find(info.name())
                .orElseThrow(() -> new VerificationException(
                        checkpoint.directory() + " lacks the tensor " + info.name() + " of " + source.directory()));
        boolean bias = byBias.containsKey(info.name());
        if (!found.shape().equals(info.shape()) || (!bias && found.dtype() != info.dtype())) {
            throw new VerificationException(checkpoint.fileOf(info.name()) + ": " + info.name() + " is " + found.dtype()
                    + found.shape() + ", but " + info.dtype() + info.shape() + " in " + source.directory());
        }
        if (mayBeScaled(info)) {
            return;
        }
        HostTensor ours = checkpoint.tensor(info.name());
        HostTensor theirs = source.tensor(info.name());
        long difference = bias && found.dtype() != info.dtype()
                ? firstDifference(ours, theirs)
                : ours.data().mismatch(theirs.data());
        if (difference >= 0) {
            throw new VerificationException(checkpoint.fileOf(info.name()) + ": " + info.name() + " differs from "
                    + source.directory() + " at byte " + difference + ", byte "
                    + (checkpoint.positionOf(info.name()) + difference)
                    + " of the file, although it is not quantized");
        }
    }

    /**
     * Whether a method may have scaled features, of which the files say nothing: AWQ does. compressed-tensors holds what any method
     * made; where no report says which, it may have been AWQ.
     */
    private static boolean scales(PackedScheme scheme, Checkpoint checkpoint) {
        return switch (scheme) {
            case GptqScheme gptq -> false;
            case AwqScheme awq -> true;
            case PackQuantizedScheme packed ->
                !SideFiles.method(checkpoint.directory())
                        .map(UNSCALED::contains)
                        .orElse(false);
        };
    }

    /** AWQ divides norms of layers and biases, and multiplies routers; SmoothQuant divides norms. */
    private boolean mayBeScaled(TensorInfo info) {
        return scales && (scaled.contains(info.name()) || byBias.containsKey(info.name()));
    }

    /** Biases of quantized linears are rounded to F16. */
    private static long firstDifference(HostTensor ours, HostTensor theirs) {
        long count = ours.shape().elementCount();
        for (long i = 0; i < count; i++) {
            float expected =
                    Float.float16ToFloat(Float.floatToFloat16(Elements.floatAt(theirs.data(), theirs.dtype(), i)));
            if (ours.dtype() != DType.F16 || Elements.floatAt(ours.data(), ours.dtype(), i) != expected) {
                return i * ours.dtype().bytes();
            }
        }
        return -1;
    }

    /** The weights of a quantized linear, one by one. */
    private interface Weights {
        float weight(int outputFeature, int inputFeature);
    }

    private Weights weights(String module) {
        TensorReader reader = name -> checkpoint.find(name).map(info -> checkpoint.tensor(name));
        return elements.isPresent()
                ? elements.get().read(reader, module)::weight
                : scheme.orElseThrow().read(reader, module)::weight;
    }

    private String codes(String module) {
        return elements.map(form -> form.codes(module))
                .orElseGet(() -> scheme.orElseThrow().codes(module));
    }

    private void compareLinear(LinearSpec spec) {
        Weights linear = weights(spec.name());
        int step = Math.max(1, spec.out() / SAMPLED_OUTPUTS);
        int rows = (spec.out() + step - 1) / step;
        HostTensor weight = source.tensor(spec.weightName());
        double[][] theirs = new double[rows][spec.in()];
        double[][] ours = new double[rows][spec.in()];
        for (int row = 0; row < rows; row++) {
            for (int in = 0; in < spec.in(); in++) {
                theirs[row][in] = Elements.floatAt(weight.data(), weight.dtype(), (long) row * step * spec.in() + in);
                ours[row][in] = linear.weight(row * step, in);
            }
        }
        if (scales) {
            ScaleFit.undo(theirs, ours);
        }
        double error = 0;
        double norm = 0;
        for (int row = 0; row < rows; row++) {
            for (int in = 0; in < spec.in(); in++) {
                double difference = theirs[row][in] - ours[row][in];
                error += difference * difference;
                norm += theirs[row][in] * theirs[row][in];
            }
        }
        double relative = norm == 0 ? error : error / norm;
        if (relative > LARGEST_ERROR) {
            throw new VerificationException(checkpoint.fileOf(codes(spec.name())) + ": " + spec.name()
                    + " does not stand for the weights in " + source.directory() + " (relative error "
                    + String.format(java.util.Locale.ROOT, "%.2g", relative) + ")");
        }
        if (relative > worstError) {
            worstError = relative;
            worstLinear = spec.name();
        }
    }
}
