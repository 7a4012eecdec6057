package io.gpuquant.job;

import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.PackedScheme;
import io.gpuquant.model.LinearSpec;
import java.util.ArrayList;
import java.util.List;

/**
 * Which inference engines will refuse or slow down what is about to be made. From the source of vLLM (auto_gptq.py, auto_awq.py,
 * compressed_tensors_wNa16.py and their Marlin kernels), transformers and GPTQModel as of autumn 2026.
 */
final class LoaderNotes {

    private static final List<Integer> MARLIN_GROUPS = List.of(-1, 32, 64, 128);
    private static final List<Integer> GEMV_GROUPS = List.of(64, 128);
    private static final int MARLIN_OUT = 64;
    private static final int MARLIN_IN = 128;
    private static final String EXPERTS = ".experts.";

    private LoaderNotes() {}

    /** Sentences for the user; empty when every engine loads the result. */
    static List<String> of(PackedScheme scheme, List<LinearSpec> quantized) {
        return switch (scheme) {
            case GptqScheme gptq -> withExperts(ofGptq(gptq, quantized), quantized);
            case AwqScheme awq -> withExperts(ofAwq(awq, quantized), quantized);
            case PackQuantizedScheme packed -> ofPackQuantized(packed, quantized);
        };
    }

    private static List<String> withExperts(List<String> notes, List<LinearSpec> quantized) {
        if (quantized.stream().anyMatch(linear -> linear.name().contains(EXPERTS))) {
            notes.add(
                    "transformers 5 does not find quantized experts, warns, and computes with random ones; use vLLM or SGLang");
        }
        return notes;
    }

    private static List<String> ofAwq(AwqScheme scheme, List<LinearSpec> quantized) {
        List<String> notes = new ArrayList<>();
        if (scheme.version() == AwqVersion.GEMV) {
            notes.add("the GEMV layout loads in GPTQModel, and with it in transformers; vLLM and SGLang take every AWQ"
                    + " checkpoint for GEMM and fail or compute nonsense, so use --version GEMM for them");
            if (!GEMV_GROUPS.contains(scheme.groupSize())) {
                notes.add("the GEMV kernels of AutoAWQ take --group-size 64 or 128; with " + scheme.groupSize()
                        + " use a loader that repacks the weights");
            }
        } else if (!MARLIN_GROUPS.contains(scheme.groupSize())) {
            notes.add("vLLM's fast kernels take --group-size 32, 64, 128 or -1; with " + scheme.groupSize()
                    + " it falls back to slow ones");
        } else {
            addTileNote(notes, "pads", quantized);
        }
        return notes;
    }

    private static List<String> ofGptq(GptqScheme scheme, List<LinearSpec> quantized) {
        List<String> notes = new ArrayList<>();
        boolean bitsLoad = scheme.bits() == 4 || scheme.bits() == 8;
        if (!bitsLoad || !scheme.symmetric()) {
            notes.add("vLLM and SGLang load 4-bit and 8-bit symmetric checkpoints only; this one ("
                    + scheme.bits() + "-bit, " + (scheme.symmetric() ? "symmetric" : "asymmetric")
                    + ") loads in transformers"
                    + (isOnlyForTransformers(scheme)
                            ? "; GPTQModel takes asymmetric ones as --format gptq_v2 only"
                            : " and GPTQModel"));
        } else if (!MARLIN_GROUPS.contains(scheme.groupSize())) {
            notes.add("vLLM's fast kernels take --group-size 32, 64, 128 or -1; with " + scheme.groupSize()
                    + " it falls back to slow ones or refuses");
        } else {
            addTileNote(notes, scheme.descAct() ? "refuses with --desc-act" : "pads", quantized);
        }
        if (scheme.version() == GptqVersion.V2) {
            notes.add("the format gptq_v2 loads in GPTQModel and transformers; vLLM reads gptq");
        }
        return notes;
    }

    /** GPTQModel takes version 1 for symmetric unless it wrote the file itself. */
    private static boolean isOnlyForTransformers(GptqScheme scheme) {
        return !scheme.symmetric() && scheme.version() == GptqVersion.V1;
    }

    private static List<String> ofPackQuantized(PackQuantizedScheme scheme, List<LinearSpec> quantized) {
        List<String> notes = new ArrayList<>();
        if (scheme.bits() != 4 && scheme.bits() != 8) {
            notes.add("vLLM and SGLang load compressed-tensors checkpoints of 4 and 8 bits only; this one ("
                    + scheme.bits() + "-bit) is for transformers with the package compressed-tensors");
        } else if (!MARLIN_GROUPS.contains(scheme.groupSize())) {
            notes.add("vLLM's fast kernels take --group-size 32, 64, 128 or -1; with " + scheme.groupSize()
                    + " it falls back to slow ones or refuses");
        } else if (scheme.bits() == 8 && !scheme.symmetric()) {
            notes.add("vLLM's fast kernels take zero points with 4 bits only; with 8 bits use symmetric grids");
        } else {
            addTileNote(notes, "pads", quantized);
        }
        return notes;
    }

    private static void addTileNote(List<String> notes, String consequence, List<LinearSpec> quantized) {
        for (LinearSpec linear : quantized) {
            boolean tiles = linear.out() % MARLIN_OUT == 0 && linear.in() % MARLIN_IN == 0;
            if (!tiles) {
                notes.add(linear.name() + " has " + linear.in() + " to " + linear.out()
                        + " features, which vLLM " + consequence
                        + " because its kernels work in tiles of " + MARLIN_IN + " by " + MARLIN_OUT);
                return;
            }
        }
    }
}
