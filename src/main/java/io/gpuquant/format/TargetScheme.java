package io.gpuquant.format;

import java.lang.foreign.Arena;

/** A scheme in whose layout linears of other layouts can be put together, value by value, on the processor. */
public sealed interface TargetScheme extends PackedScheme permits AwqScheme, PackQuantizedScheme {

    /** A linear with codes, zero points and scales that are still to be set; {@code arena} owns its tensors. */
    LinearBuilder builder(String module, int in, int out, Arena arena);
}
