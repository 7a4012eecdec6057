package io.gpuquant.kernels.selftest;

import java.util.List;
import java.util.stream.Stream;

/** Everything that is tested. */
final class Checks {

    private Checks() {}

    /** Every service of a device, then every kernel. */
    static List<Check> all() {
        return Stream.concat(
                        Stream.of(DeviceChecks.all(), ProductChecks.ofLibrary()).flatMap(List::stream),
                        ofKernels().stream())
                .toList();
    }

    /** A check for each kernel, in the order in which a quantization meets them. */
    static List<Check> ofKernels() {
        return Stream.of(
                        ConvertChecks.all(),
                        NonFiniteChecks.all(),
                        EmbeddingChecks.all(),
                        NormChecks.all(),
                        RopeChecks.all(),
                        SoftmaxChecks.all(),
                        AttentionChecks.all(),
                        ActivationChecks.all(),
                        ExpertChecks.all(),
                        LossChecks.all(),
                        DivergenceChecks.all(),
                        ReductionChecks.all(),
                        ProductChecks.ofKernels(),
                        HessianChecks.all(),
                        QuantizeChecks.all(),
                        GptqChecks.all(),
                        PackChecks.all(),
                        ScaleChecks.all(),
                        AwqChecks.all(),
                        NibbleChecks.all(),
                        BitStreamChecks.all(),
                        GgmlFitChecks.all(),
                        GgmlBlockChecks.all(),
                        RangeChecks.all(),
                        CodecChecks.all())
                .flatMap(List::stream)
                .toList();
    }
}
