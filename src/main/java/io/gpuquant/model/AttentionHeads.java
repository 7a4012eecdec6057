package io.gpuquant.model;

/**
 * The heads of an attention, side by side in a row of queries, keys or values.
 *
 * @param count heads of queries
 * @param keyCount heads of keys and of values, each for as many heads of queries in a row; divides {@code count}
 * @param size elements of a head
 */
public record AttentionHeads(int count, int keyCount, int size) {

    public AttentionHeads {
        if (keyCount < 1 || size < 1 || count < keyCount || count % keyCount != 0) {
            throw new IllegalArgumentException(count + " heads of " + size + " with " + keyCount + " heads of keys");
        }
    }

    /** Those of a model. */
    static AttentionHeads of(ModelConfig config) {
        return new AttentionHeads(config.numAttentionHeads(), config.numKeyValueHeads(), config.headDim());
    }

    /** Heads of queries that share a head of keys. */
    int perKey() {
        return count / keyCount;
    }

    /** Elements of all queries of a token. */
    int width() {
        return count * size;
    }
}
