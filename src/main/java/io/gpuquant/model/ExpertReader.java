package io.gpuquant.model;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Reads from a config.json what experts a model has, and which layers have them. */
final class ExpertReader {

    /** The key of newer files first. */
    private static final List<String> COUNT_KEYS = List.of("num_local_experts", "num_experts");

    private static final String PER_TOKEN = "num_experts_per_tok";
    private static final int MOST = 1 << 12;
    private static final int WIDEST = 1 << 20;

    private ExpertReader() {}

    static ExpertShape read(ConfigObject config, ExpertNames names, int layers) {
        String countKey = COUNT_KEYS.stream().filter(config::has).findFirst().orElse(COUNT_KEYS.getFirst());
        int count = config.size(countKey, MOST);
        int perToken = config.size(PER_TOKEN, MOST);
        if (perToken > count) {
            throw config.refuse(
                    PER_TOKEN,
                    "is " + perToken + ", more than the " + count + " experts there are" + ConfigObject.RESTORE);
        }
        return new ExpertShape(
                count,
                perToken,
                config.size(names.sizeKey(), WIDEST),
                names.normalizedKey().map(key -> config.flag(key, false)).orElse(true),
                denseLayers(config, layers));
    }

    private static Set<Integer> denseLayers(ConfigObject config, int layers) {
        int step = config.positiveInt("decoder_sparse_step", 1);
        Set<Integer> dense =
                new HashSet<>(config.has("mlp_only_layers") ? config.indices("mlp_only_layers") : List.of());
        for (int layer = 0; layer < layers; layer++) {
            if ((layer + 1) % step != 0) {
                dense.add(layer);
            }
        }
        return dense;
    }
}
