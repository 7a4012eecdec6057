package io.gpuquant.job;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.ResourceException;
import io.gpuquant.VerificationException;
import io.gpuquant.format.AwqConfig;
import io.gpuquant.format.AwqScheme;
import io.gpuquant.format.GptqScheme;
import io.gpuquant.format.PackQuantizedScheme;
import io.gpuquant.format.TargetScheme;
import io.gpuquant.quantize.LinearReport;
import io.gpuquant.quantize.ScaleReport;
import io.gpuquant.safetensors.CheckpointLayout;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/** The files of a checkpoint besides its tensors. */
final class SideFiles {

    /** What a report of the quantization, linear by linear, is called in the output. */
    static final String REPORT = "quantization_report.json";

    private static final String CHECKSUMS = "crc32c";

    /** Files that engines, or the terms of the model, want beside the tensors. */
    private static final Pattern COPIED = Pattern.compile(
            "(?i)tokenizer.*|special_tokens_map\\.json|added_tokens\\.json"
                    + "|vocab\\..*|merges\\.txt|.*\\.model|.*\\.tiktoken|generation_config\\.json|chat_template.*"
                    + "|preprocessor_config\\.json|processor_config\\.json|.*\\.py|licen[cs]e.*|notice.*|.*use_policy.*");

    private static final ObjectWriter JSON = new ObjectMapper()
            .writer(new DefaultPrettyPrinter()
                    .withSeparators(
                            Separators.createDefaultInstance().withObjectFieldValueSpacing(Separators.Spacing.AFTER))
                    .withArrayIndenter(DefaultIndenter.SYSTEM_LINEFEED_INSTANCE.withLinefeed("\n"))
                    .withObjectIndenter(new DefaultIndenter("  ", "\n")));

    private SideFiles() {}

    /** Writes configuration, report and copies into the output. */
    static void write(QuantizationPlan plan, LayerQuantizer.Reports reports, Map<String, Long> checksums, Path folder) {
        Path source = plan.options().model();
        try {
            ObjectNode config = plan.structure().config().raw();
            config.set("quantization_config", plan.quantizationConfig());
            writeJson(folder.resolve("config.json"), config);
            switch (plan.scheme()) {
                case GptqScheme gptq -> writeJson(folder.resolve("quantize_config.json"), plan.quantizationConfig());
                case AwqScheme awq -> writeJson(folder.resolve("quant_config.json"), AwqConfig.writeLegacy(awq));
                case PackQuantizedScheme packed -> {
                    // config.json says it all.
                }
            }
            writeJson(
                    folder.resolve(REPORT), report(plan.options().method().name(), plan.layout(), reports, checksums));
            copy(source, folder);
        } catch (IOException failure) {
            throw cannotWrite(folder, failure);
        }
    }

    /** Writes configuration, report and copies into an output of elements. */
    static void write(ElementPlan plan, List<LinearReport> reports, Map<String, Long> checksums, Path folder) {
        try {
            ObjectNode config = plan.structure().config().raw();
            config.set("quantization_config", plan.quantizationConfig());
            writeJson(folder.resolve("config.json"), config);
            LayerQuantizer.Reports linears = new LayerQuantizer.Reports(reports, List.of());
            writeJson(folder.resolve(REPORT), report(plan.options().command(), plan.layout(), linears, checksums));
            copy(plan.options().model(), folder);
        } catch (IOException failure) {
            throw cannotWrite(folder, failure);
        }
    }

    /**
     * A checkpoint that was made from another by repacking.
     *
     * @param source the other's folder
     * @param config its config.json
     */
    record Converted(
            Path source,
            ObjectNode config,
            TargetScheme scheme,
            ObjectNode quantizationConfig,
            CheckpointLayout layout,
            Map<String, Long> checksums) {}

    /** Writes configuration, report and copies of a repacked checkpoint; the report says what the source's says. */
    static void writeConverted(Converted made, Path folder) {
        try {
            ObjectNode config = made.config().deepCopy();
            config.set("quantization_config", made.quantizationConfig());
            writeJson(folder.resolve("config.json"), config);
            if (made.scheme() instanceof AwqScheme awq) {
                writeJson(folder.resolve("quant_config.json"), AwqConfig.writeLegacy(awq));
            }
            ObjectNode report = report(made.source());
            addChecksums(report, made.layout(), made.checksums());
            writeJson(folder.resolve(REPORT), report);
            copy(made.source(), folder);
        } catch (IOException failure) {
            throw cannotWrite(folder, failure);
        }
    }

    /** Writes the configuration of a model that was dequantized, and copies of the tokenizer's files. */
    static void writeDequantized(ObjectNode config, Optional<Path> tokenizer, Path folder) {
        try {
            writeJson(folder.resolve("config.json"), config);
            if (tokenizer.isPresent()) {
                copy(tokenizer.get(), folder);
            }
        } catch (IOException failure) {
            throw cannotWrite(folder, failure);
        }
    }

    private static void copy(Path source, Path folder) throws IOException {
        try (var files = Files.list(source)) {
            for (Path file : files.sorted().toList()) {
                String name = file.getFileName().toString();
                if (Files.isRegularFile(file) && COPIED.matcher(name).matches()) {
                    Files.copy(file, folder.resolve(name), StandardCopyOption.REPLACE_EXISTING);
                }
            }
        }
    }

    private static ResourceException cannotWrite(Path folder, IOException failure) {
        return new ResourceException(
                "the configuration cannot be written to " + folder + " (" + failure.getMessage()
                        + "); make room on the disk and run the same command",
                failure);
    }

    private static void addChecksums(ObjectNode report, CheckpointLayout layout, Map<String, Long> checksums) {
        ObjectNode sums = report.putObject(CHECKSUMS);
        layout.tensors()
                .forEach(tensor -> sums.put(tensor.name(), Objects.requireNonNull(checksums.get(tensor.name()))));
    }

    private static void writeJson(Path file, ObjectNode content) throws IOException {
        Files.writeString(file, text(content), StandardCharsets.UTF_8);
    }

    private static String text(ObjectNode content) throws JsonProcessingException {
        return JSON.writeValueAsString(content) + "\n";
    }

    /** Nothing in it may differ between two runs of the same command. */
    private static ObjectNode report(
            String method, CheckpointLayout layout, LayerQuantizer.Reports reports, Map<String, Long> checksums) {
        ObjectNode report = new ObjectMapper().createObjectNode();
        report.put("method", method);
        ArrayNode linears = report.putArray("linears");
        for (LinearReport linear : reports.linears()) {
            ObjectNode entry = linears.addObject();
            entry.put("name", linear.name());
            entry.put("method", linear.method());
            entry.put("relative_error", linear.error());
            entry.put("damping", linear.damping());
            entry.put("dead_input_features", linear.deadFeatures());
            if (!linear.note().isEmpty()) {
                entry.put("note", linear.note());
            }
        }
        addScales(report, reports.scales());
        addChecksums(report, layout, checksums);
        return report;
    }

    private static void addScales(ObjectNode report, List<ScaleReport> reports) {
        if (!reports.isEmpty()) {
            ArrayNode scales = report.putArray("scales");
            for (ScaleReport scale : reports) {
                ObjectNode entry = scales.addObject();
                entry.put("previous", scale.previous());
                scale.linears().forEach(entry.putArray("linears")::add);
                entry.put("ratio", scale.ratio());
                entry.put("loss_without", scale.lossWithout());
                entry.put("loss", scale.loss());
            }
        }
    }

    /** CRC-32C of each tensor as it was written, by name; empty for a folder without a report. */
    static Map<String, Long> checksums(Path folder) {
        Map<String, Long> checksums = new LinkedHashMap<>();
        report(folder)
                .path(CHECKSUMS)
                .properties()
                .forEach(entry -> checksums.put(entry.getKey(), entry.getValue().asLong()));
        return checksums;
    }

    /** The method by which a folder was made, if a report says so. */
    static Optional<String> method(Path folder) {
        return Optional.of(report(folder).path("method").asText("")).filter(name -> !name.isEmpty());
    }

    /** The report in a folder; an empty object if there is none. */
    static ObjectNode report(Path folder) {
        Path file = folder.resolve(REPORT);
        ObjectMapper mapper = new ObjectMapper();
        if (!Files.isRegularFile(file)) {
            return mapper.createObjectNode();
        }
        try {
            return mapper.readTree(file.toFile()) instanceof ObjectNode report ? report : mapper.createObjectNode();
        } catch (IOException damaged) {
            throw new VerificationException(file + " is damaged; get it again, or delete it", damaged);
        }
    }
}
