package io.gpuquant.hub;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Which files of a repository are needed: a repository often has its weights in several formats. */
final class FileSelection {

    static final String CONFIG = "config.json";
    static final String SINGLE_FILE = "model.safetensors";
    static final String INDEX = "model.safetensors.index.json";

    /** A name in the repository's own folder that is one everywhere. */
    private static final Pattern PLAIN_NAME = Pattern.compile("[^./\\\\:\\p{Cntrl}][^/\\\\:\\p{Cntrl}]{0,254}");

    private static final Pattern SMALL =
            Pattern.compile("(?i)(generation_|quantize_|quant_|preprocessor_|processor_)?config\\.json"
                    + "|quantization_report\\.json|tokenizer.*|special_tokens_map\\.json|added_tokens\\.json|vocab\\..*"
                    + "|merges\\.txt|.*\\.tiktoken|chat_template.*|licen[cs]e.*|notice.*|.*use_policy.*");

    private static final Pattern PICKLE = Pattern.compile("(?i)(pytorch_model|consolidated).*\\.(bin|pth?)");

    private FileSelection() {}

    /** The files besides the weights, in the order of their names. */
    static List<String> small(List<String> files) {
        return files.stream()
                .filter(name -> PLAIN_NAME.matcher(name).matches()
                        && SMALL.matcher(name).matches())
                .sorted()
                .distinct()
                .toList();
    }

    /**
     * The file that holds the weights, or that names those that do.
     *
     * @throws InputException when the repository has no weights that can be read
     */
    static String weights(ModelReference model, List<String> files) {
        if (files.contains(SINGLE_FILE)) {
            return SINGLE_FILE;
        }
        if (files.contains(INDEX)) {
            return INDEX;
        }
        Optional<String> pickle =
                files.stream().filter(name -> PICKLE.matcher(name).matches()).findFirst();
        if (pickle.isPresent()) {
            throw new InputException(model + " has its weights in " + pickle.get()
                    + " only, a pickle file, which can run any code on the machine that loads it; look for a revision with"
                    + " safetensors, often refs/pr/1 (" + model.repository() + "@refs/pr/1), or convert it with"
                    + " save_pretrained in a sandbox");
        }
        throw new InputException(model + " has neither " + SINGLE_FILE + " nor " + INDEX
                + "; give a model whose weights are in the safetensors format of transformers");
    }

    /**
     * The shards that an index names.
     *
     * @throws InputException when it is damaged, or names what is no file beside it
     */
    static Collection<String> shards(Path index) throws IOException {
        JsonNode map = new ObjectMapper().readTree(Files.readAllBytes(index)).path("weight_map");
        TreeSet<String> shards = new TreeSet<>();
        map.forEach(shard -> shards.add(shard.asText("")));
        if (shards.isEmpty()
                || !shards.stream().allMatch(name -> PLAIN_NAME.matcher(name).matches())) {
            throw new InputException(index + " is not a valid index of shards; remove it and download it again");
        }
        return shards;
    }
}
