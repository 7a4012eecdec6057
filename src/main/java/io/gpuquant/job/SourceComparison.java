package io.gpuquant.job;

import io.gpuquant.VerificationException;
import io.gpuquant.format.GptqLinear;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.GptqTensors;
import io.gpuquant.model.LinearSpec;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.safetensors.TensorInfo;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Compares a checkpoint with the one it was made from. */
final class SourceComparison {

    /** Output features of a linear that are unpacked, spread evenly; unpacking bit by bit is slow on purpose. */
    private static final int SAMPLED_OUTPUTS = 32;

    /** A linear whose error is as large as its weights does not come from them. */
    private static final double LARGEST_ERROR = 0.9;

    private final Checkpoint checkpoint;
    private final Checkpoint source;
    private final Optional<GptqScheme> scheme;
    private final Map<String, LinearSpec> byWeight = new HashMap<>();
    private final Map<String, LinearSpec> byBias = new HashMap<>();
    private int compared;
    private double worstError;
    private String worstLinear = "";

    SourceComparison(
            Checkpoint checkpoint, Checkpoint source, Optional<GptqScheme> scheme, List<LinearSpec> quantized) {
        this.checkpoint = checkpoint;
        this.source = source;
        this.scheme = scheme;
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
        HostTensor ours = checkpoint.tensor(info.name());
        HostTensor theirs = source.tensor(info.name());
        long difference = bias && found.dtype() != info.dtype()
                ? firstDifference(ours, theirs)
                : ours.data().mismatch(theirs.data());
        if (difference >= 0) {
            throw new VerificationException(checkpoint.fileOf(info.name()) + ": " + info.name() + " differs from "
                    + source.directory() + " at byte " + difference + ", although it is not quantized");
        }
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

    private void compareLinear(LinearSpec spec) {
        GptqTensors names = new GptqTensors(spec.name());
        GptqLinear linear = GptqLinear.read(
                name -> checkpoint.find(name).map(info -> checkpoint.tensor(name)), names, scheme.orElseThrow());
        HostTensor weight = source.tensor(spec.weightName());
        double error = 0;
        double norm = 0;
        int step = Math.max(1, spec.out() / SAMPLED_OUTPUTS);
        for (int out = 0; out < spec.out(); out += step) {
            for (int in = 0; in < spec.in(); in++) {
                double original = Elements.floatAt(weight.data(), weight.dtype(), (long) out * spec.in() + in);
                double difference = original - linear.weight(out, in);
                error += difference * difference;
                norm += original * original;
            }
        }
        double relative = norm == 0 ? error : error / norm;
        if (relative > LARGEST_ERROR) {
            throw new VerificationException(checkpoint.fileOf(names.codes()) + ": " + spec.name()
                    + " does not stand for the weights in " + source.directory() + " (relative error "
                    + String.format(java.util.Locale.ROOT, "%.2g", relative) + ")");
        }
        if (relative > worstError) {
            worstError = relative;
            worstLinear = spec.name();
        }
    }
}
