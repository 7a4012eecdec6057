package io.gpuquant.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import io.gpuquant.InputException;
import io.gpuquant.file.MappedFile;
import io.gpuquant.file.Quoted;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** {@code model.safetensors.index.json}: which shard of a checkpoint holds which tensor. */
final class ShardIndex {

    static final String FILE_NAME = "model.safetensors.index.json";

    private static final String WEIGHT_MAP = "weight_map";

    // A name in the same folder: without separators, control characters or a leading dot, on every platform.
    private static final Pattern SHARD_NAME = Pattern.compile("[^./\\\\:\\p{Cntrl}][^/\\\\:\\p{Cntrl}]{0,254}");

    private final Path path;

    private ShardIndex(Path path) {
        this.path = path;
    }

    /**
     * Tensor names to shard file names, in the order of the file. Every file name is one in the same folder. Keys beside
     * {@code weight_map} are passed over, as loaders do; {@code metadata.total_size} too often is wrong to be of use.
     *
     * @throws InputException when the file cannot be read or is not such an index
     */
    static Map<String, String> read(Path path) {
        MappedFile.requireRegular(path);
        return new ShardIndex(path).weightMap();
    }

    /** The text of an index as Hugging Face libraries write it: two spaces of indentation, names sorted, a last newline. */
    static String text(long totalBytes, SortedMap<String, String> weightMap) {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
            json.setPrettyPrinter(prettyPrinter());
            json.writeStartObject();
            json.writeObjectFieldStart("metadata");
            json.writeNumberField("total_size", totalBytes);
            json.writeEndObject();
            json.writeObjectFieldStart(WEIGHT_MAP);
            for (Map.Entry<String, String> entry : weightMap.entrySet()) {
                json.writeStringField(entry.getKey(), entry.getValue());
            }
            json.writeEndObject();
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory does no I/O", e);
        }
        return text.append('\n').toString();
    }

    private static DefaultPrettyPrinter prettyPrinter() {
        Separators separators =
                Separators.createDefaultInstance().withObjectFieldValueSpacing(Separators.Spacing.AFTER);
        return new DefaultPrettyPrinter(separators).withObjectIndenter(new DefaultIndenter("  ", "\n"));
    }

    private Map<String, String> weightMap() {
        Map<String, String> weightMap = new LinkedHashMap<>();
        try (StrictJson json = new StrictJson(bytes(), "its content", this::damaged)) {
            json.startObject("its content");
            Set<String> keys = new HashSet<>();
            for (String key = json.nextKey(keys, "its content"); key != null; key = json.nextKey(keys, "its content")) {
                if (key.equals(WEIGHT_MAP)) {
                    readWeightMap(json, weightMap);
                } else {
                    json.skipValue();
                }
            }
            json.end();
            if (!keys.contains(WEIGHT_MAP)) {
                throw json.fail("it has no weight_map");
            }
            if (weightMap.isEmpty()) {
                throw json.fail("its weight_map is empty");
            }
        }
        return weightMap;
    }

    private void readWeightMap(StrictJson json, Map<String, String> weightMap) {
        json.startObject(WEIGHT_MAP);
        Set<String> names = new HashSet<>();
        for (String name = json.nextKey(names, WEIGHT_MAP); name != null; name = json.nextKey(names, WEIGHT_MAP)) {
            String shard = json.string("the shard of tensor " + Quoted.text(name));
            if (!SHARD_NAME.matcher(shard).matches()) {
                throw json.fail("the shard of tensor " + Quoted.text(name) + " is " + Quoted.text(shard)
                        + ", which is not the name of a file in the same folder");
            }
            weightMap.put(name, shard);
        }
    }

    private MemorySegment bytes() {
        try {
            if (Files.size(path) > SafetensorsHeader.MAX_BYTES) {
                throw damaged("it has more than " + SafetensorsHeader.MAX_BYTES + " bytes", null);
            }
            return MemorySegment.ofArray(Files.readAllBytes(path));
        } catch (IOException e) {
            throw MappedFile.unreadable(path, e);
        }
    }

    private InputException damaged(String reason, @Nullable Throwable cause) {
        return new InputException(
                path + " is not a valid index of shards: " + reason + "; download or export it again", cause);
    }
}
