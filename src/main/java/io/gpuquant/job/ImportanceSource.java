package io.gpuquant.job;

import io.gpuquant.gguf.GgufValue;
import java.util.Map;
import java.util.Optional;

/** What quantizers ask of an importance matrix. */
interface ImportanceSource {

    /** There is none. */
    ImportanceSource NONE = new ImportanceSource() {
        @Override
        public boolean isPresent() {
            return false;
        }

        @Override
        public Optional<float[]> weights(String tensor, int columns, int matrices) {
            return Optional.empty();
        }

        @Override
        public Map<String, GgufValue> metadata() {
            return Map.of();
        }
    };

    /** Whether there is a matrix. */
    boolean isPresent();

    /**
     * How much errors of each column of a tensor count.
     *
     * @param tensor its name in a GGUF file
     * @return those of each of its matrices, one after another; empty where the tensor was not observed
     * @throws io.gpuquant.InputException when there are not {@code columns * matrices} of them
     */
    Optional<float[]> weights(String tensor, int columns, int matrices);

    /** What a file that was made with it says of it. */
    Map<String, GgufValue> metadata();
}
