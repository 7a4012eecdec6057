package io.gpuquant.cli;

import io.gpuquant.job.Forecast;
import io.gpuquant.job.MemoryPlan;
import io.gpuquant.job.Sizes;
import io.gpuquant.model.ActivationStore.Placement;
import io.gpuquant.model.ModelConfig;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/** A forecast as tables. Of several devices, what is said once is true of the one that holds the most. */
final class PlanText {

    private static final int HOLDINGS_SHOWN = 4;

    private PlanText() {}

    static void print(Forecast forecast, PrintWriter out) {
        MemoryPlan memory = forecast.widest();
        ModelConfig model = forecast.structure().config();
        TextTable facts = new TextTable();
        facts.row(
                "model",
                model.family().modelType() + ", " + model.numHiddenLayers() + " layers of width " + model.hiddenSize()
                        + " and " + model.intermediateSize() + ", " + forecast.storedType());
        facts.row(
                "device",
                forecast.memory().stream().map(PlanText::device).collect(Collectors.joining(", ")) + ", "
                        + memory.room().info().name() + ", products of "
                        + memory.room().operandType().apply(forecast.storedType()));
        facts.row(
                "calibration",
                forecast.sequences() + " sequences of "
                        + memory.chunking().sequenceLength() + " tokens, "
                        + memory.chunking().perChunk() + " at once");
        facts.row("activations", placements(memory));
        facts.row(
                "weights",
                memory.prefetch()
                        ? "two layers on the device at once, the next one loaded ahead"
                        : "one layer on the device at once");
        forecast.bytes()
                .ifPresent(bytes -> facts.row(
                        "output",
                        Sizes.format(bytes.output()) + " of tensors, the model has " + Sizes.format(bytes.source())));
        facts.row("matrix products", products(forecast));
        facts.row(
                "device memory",
                Sizes.format(memory.peakBytes()) + " at most, of "
                        + Sizes.format(memory.room().availableBytes()) + ": "
                        + (forecast.fits() ? "fits" : "does not fit"));
        if (forecast.memory().size() > 1) {
            facts.row("shown", device(memory) + ", which holds the most");
        }
        facts.print(out);
        if (forecast.memory().size() > 1) {
            devices(forecast).print(out);
        }
        TextTable stages = new TextTable().row("step", "at most", "held");
        memory.stages()
                .forEach(stage ->
                        stages.row(stage.name(), Sizes.format(stage.peakBytes()), stage.describe(HOLDINGS_SHOWN)));
        stages.print(out);
        forecast.warnings().forEach(warning -> out.println("warning: " + warning));
    }

    private static TextTable devices(Forecast forecast) {
        TextTable table = new TextTable().row("device", "sequences", "at once", "at most", "of", "");
        for (MemoryPlan memory : forecast.memory()) {
            table.row(
                    device(memory),
                    String.valueOf(memory.chunking().sequences()),
                    String.valueOf(memory.chunking().perChunk()),
                    Sizes.format(memory.peakBytes()),
                    Sizes.format(memory.room().availableBytes()),
                    memory.fits() ? "fits" : "does not fit");
        }
        return table;
    }

    private static String device(MemoryPlan memory) {
        return memory.room().info().id();
    }

    private static String products(Forecast forecast) {
        String all = String.format(Locale.ROOT, "%.2f TFLOP in all", forecast.operations() / 1e12);
        OptionalDouble seconds = forecast.secondsOfProducts();
        return seconds.isEmpty()
                ? all
                : all
                        + String.format(
                                Locale.ROOT,
                                ", %.1f s at the %.3g TFLOP/s measured here",
                                seconds.getAsDouble(),
                                forecast.operationsPerSecond().getAsDouble() / 1e12);
    }

    private static String placements(MemoryPlan memory) {
        MemoryPlan.Placements placements = memory.placements();
        return "residual stream " + place(placements.hidden()) + ", attention results "
                + place(placements.stages().attention()) + ", activated gates "
                + place(placements.stages().mlp())
                + (memory.hostBytes() == 0 ? "" : " (" + Sizes.format(memory.hostBytes()) + " of host memory)");
    }

    private static String place(Placement placement) {
        return switch (placement) {
            case DEVICE -> "on the device";
            case HOST -> "on the host";
        };
    }
}
