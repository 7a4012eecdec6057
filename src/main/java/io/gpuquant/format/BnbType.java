package io.gpuquant.format;

/** The element types of bitsandbytes. */
public enum BnbType {
    /** Four-bit NormalFloat (Dettmers et al., arXiv 2305.14314). */
    NF4("nf4"),
    /** Four-bit floats with three exponents, and values of its own. */
    FP4("fp4"),
    /** LLM.int8() (Dettmers et al., arXiv 2208.07339): a scale for each row. */
    INT8("int8");

    private final String typeName;

    BnbType(String typeName) {
        this.typeName = typeName;
    }

    /** Its name in options and files. */
    public String typeName() {
        return typeName;
    }
}
