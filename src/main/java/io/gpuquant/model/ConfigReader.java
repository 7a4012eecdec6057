package io.gpuquant.model;

import static io.gpuquant.model.ConfigObject.RESTORE;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.InputException;
import io.gpuquant.model.ModelFamily.Trait;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Reads and checks the config.json of a checkpoint. */
final class ConfigReader {

    private static final String FILE = "config.json";
    private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    private static final Map<String, DType> DTYPES =
            Map.of("float16", DType.F16, "bfloat16", DType.BF16, "float32", DType.F32);

    /** About a hundred times what the deepest models have. */
    private static final int MOST_LAYERS = 10_000;

    /** Widths of activations: ten to a hundred times those of the widest models, and sums of a few still fit an int. */
    private static final int WIDEST = 1 << 20;

    private static final int LARGEST_VOCABULARY = 1 << 24;

    /** Keys of models that read pictures or hear, and have text as one of several parts. */
    private static final List<String> OTHER_MODALITIES = List.of("vision_config", "audio_config");

    private ConfigReader() {}

    static ModelConfig read(Path modelFolder) {
        ConfigObject config = parse(modelFolder);
        ModelFamily family = family(config);
        config.object("quantization_config");
        int hiddenSize = config.size("hidden_size", WIDEST);
        int heads = config.size("num_attention_heads", WIDEST);
        int maxPositions = config.positiveInt("max_position_embeddings");
        int layers = config.size("num_hidden_layers", MOST_LAYERS);
        int headDim = headDim(config, family, hiddenSize, heads);
        RopeReader.Ropes ropes = RopeReader.read(config, family, maxPositions, headDim);
        return new ModelConfig(
                family,
                hiddenSize,
                config.size("intermediate_size", WIDEST),
                layers,
                heads,
                keyValueHeads(config, heads),
                headDim,
                config.size("vocab_size", LARGEST_VOCABULARY),
                config.positiveNumber("rms_norm_eps"),
                maxPositions,
                config.flag("tie_word_embeddings", family.has(Trait.TIED_HEAD)),
                family.has(Trait.QUERY_KEY_VALUE_BIAS)
                        || family.has(Trait.ATTENTION_BIAS_OPTION) && config.flag("attention_bias", false),
                family.has(Trait.MLP_BIAS_OPTION) && config.flag("mlp_bias", false),
                activation(config, family),
                dtype(config),
                ropes.whole(),
                AttentionReader.read(config, family, layers, headDim, ropes),
                family.has(Trait.SOFT_CAPS) ? config.positiveNumber("final_logit_softcapping", 0) : 0,
                family.experts().map(names -> ExpertReader.read(config, names, layers)),
                config.node());
    }

    private static ConfigObject parse(Path modelFolder) {
        if (!Files.exists(modelFolder)) {
            throw new InputException(modelFolder + " does not exist; give the folder of a Hugging Face checkpoint");
        }
        if (!Files.isDirectory(modelFolder)) {
            throw new InputException(modelFolder
                    + " is a file, not a folder; give the folder that holds config.json and the safetensors files");
        }
        Path file = modelFolder.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            throw new InputException(
                    modelFolder + " has no file config.json; give the folder of a Hugging Face checkpoint");
        }
        try {
            JsonNode root = JSON.readTree(Files.readAllBytes(file));
            if (!(root instanceof ObjectNode object)) {
                throw new InputException(file + " holds no JSON object" + RESTORE);
            }
            return new ConfigObject(file, object);
        } catch (JsonProcessingException e) {
            throw new InputException(
                    file + " is not valid JSON (line " + e.getLocation().getLineNr() + ", column "
                            + e.getLocation().getColumnNr() + ")" + RESTORE,
                    e);
        } catch (IOException e) {
            throw new InputException(file + " cannot be read (" + e.getMessage() + "); check its permissions", e);
        }
    }

    private static ModelFamily family(ConfigObject config) {
        String type = config.text("model_type");
        for (String tower : OTHER_MODALITIES) {
            if (config.has(tower)) {
                throw config.refuse(
                        "model_type",
                        "is " + config.shown("model_type") + " with a " + tower
                                + ", and models that take more than text are not supported; use a model of one of these"
                                + " types: " + ModelFamily.supportedTypes());
            }
        }
        return ModelFamily.named(type)
                .orElseThrow(() -> config.refuse(
                        "model_type",
                        "is " + config.shown("model_type")
                                + ", which is not supported; use a model of one of these types: "
                                + ModelFamily.supportedTypes()));
    }

    private static int keyValueHeads(ConfigObject config, int heads) {
        int keyValueHeads = config.positiveInt("num_key_value_heads", heads);
        if (heads % keyValueHeads != 0) {
            throw config.refuse(
                    "num_key_value_heads",
                    "is " + keyValueHeads + ", which does not divide num_attention_heads " + heads + RESTORE);
        }
        return keyValueHeads;
    }

    private static int headDim(ConfigObject config, ModelFamily family, int hiddenSize, int heads) {
        OptionalInt usual = family.defaults().headDim();
        if (!config.has("head_dim") && usual.isEmpty() && hiddenSize % heads != 0) {
            throw config.refuse(
                    "num_attention_heads",
                    "is " + heads + ", which does not divide hidden_size " + hiddenSize + ", and there is no head_dim"
                            + RESTORE);
        }
        int headDim = config.positiveInt("head_dim", usual.orElse(hiddenSize / heads));
        if (headDim % 2 != 0) {
            throw config.refuse(
                    "head_dim", "is " + headDim + ", which is odd, and a rotary embedding needs pairs" + RESTORE);
        }
        if ((long) heads * headDim > WIDEST) {
            throw config.refuse(
                    "num_attention_heads",
                    "times head_dim is " + (long) heads * headDim + ", more than the " + WIDEST + " that are supported"
                            + RESTORE);
        }
        return headDim;
    }

    private static Activation activation(ConfigObject config, ModelFamily family) {
        String key = family.activationKey();
        Optional<String> name = config.optionalText(key);
        if (name.isEmpty()) {
            return family.activations().getFirst();
        }
        return name.flatMap(Activation::named)
                .filter(family.activations()::contains)
                .orElseThrow(() -> config.refuse(
                        key,
                        "is " + config.shown(key) + ", which is not supported for model type "
                                + family.modelType() + "; use a model with one of these activations: "
                                + family.activationNames()));
    }

    private static Optional<DType> dtype(ConfigObject config) {
        Optional<DType> current = dtype(config, "dtype");
        Optional<DType> old = dtype(config, "torch_dtype");
        if (current.isPresent() && old.isPresent() && !current.equals(old)) {
            throw config.refuse("torch_dtype", "disagrees with dtype; remove the wrong one of the two from the file");
        }
        return current.or(() -> old);
    }

    private static Optional<DType> dtype(ConfigObject config, String key) {
        return config.optionalText(key)
                .map(name -> Optional.ofNullable(DTYPES.get(name))
                        .orElseThrow(() -> config.refuse(
                                key,
                                "is " + config.shown(key)
                                        + ", which is not supported; use a float16, bfloat16 or float32"
                                        + " checkpoint")));
    }
}
