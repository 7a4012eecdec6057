package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.job.Forecast;
import io.gpuquant.job.MemoryPlan;
import java.util.Locale;

/** A forecast for machines. Of several devices, what is said once is true of the one that holds the most. */
final class PlanJson {

    private PlanJson() {}

    static String of(Forecast forecast) {
        MemoryPlan memory = forecast.widest();
        ObjectNode json = Json.object();
        json.put("device", memory.room().info().id());
        json.put("weight_type", forecast.storedType().name());
        json.put(
                "operand_type",
                memory.room().operandType().apply(forecast.storedType()).name());
        json.put("fits", forecast.fits());
        json.put("peak_device_bytes", memory.peakBytes());
        json.put("available_device_bytes", memory.room().availableBytes());
        json.put(
                "host_bytes",
                forecast.memory().stream().mapToLong(MemoryPlan::hostBytes).sum());
        json.put("prefetch", memory.prefetch());
        json.put("matrix_product_operations", forecast.operations());
        forecast.secondsOfProducts().ifPresent(seconds -> json.put("matrix_product_seconds", seconds));
        json.putObject("calibration")
                .put("sequences", forecast.sequences())
                .put("sequence_length", memory.chunking().sequenceLength())
                .put("sequences_per_chunk", memory.chunking().perChunk())
                .put("chunks", memory.chunking().count())
                .put("tokens_per_chunk", memory.chunking().mostTokens());
        json.putObject("placements")
                .put("residual_stream", memory.placements().hidden().name().toLowerCase(Locale.ROOT))
                .put(
                        "attention_results",
                        memory.placements().stages().attention().name().toLowerCase(Locale.ROOT))
                .put(
                        "activated_gates",
                        memory.placements().stages().mlp().name().toLowerCase(Locale.ROOT));
        addSteps(json.putArray("steps"), memory);
        addDevices(json.putArray("devices"), forecast);
        forecast.bytes()
                .ifPresent(bytes -> json.put("source_bytes", bytes.source()).put("output_bytes", bytes.output()));
        ArrayNode warnings = json.putArray("warnings");
        forecast.warnings().forEach(warnings::add);
        return Json.text(json);
    }

    private static void addSteps(ArrayNode steps, MemoryPlan memory) {
        memory.stages().forEach(stage -> {
            ObjectNode entry = steps.addObject().put("name", stage.name()).put("peak_device_bytes", stage.peakBytes());
            ObjectNode held = entry.putObject("held");
            stage.holdings().forEach(holding -> held.put(holding.name(), holding.bytes()));
        });
    }

    private static void addDevices(ArrayNode devices, Forecast forecast) {
        for (MemoryPlan memory : forecast.memory()) {
            devices.addObject()
                    .put("device", memory.room().info().id())
                    .put("sequences", memory.chunking().sequences())
                    .put("sequences_per_chunk", memory.chunking().perChunk())
                    .put("fits", memory.fits())
                    .put("peak_device_bytes", memory.peakBytes())
                    .put("available_device_bytes", memory.room().availableBytes())
                    .put("host_bytes", memory.hostBytes());
        }
    }
}
