package io.gpuquant.model;

import io.gpuquant.device.DeviceMatrix;

/** Is shown the inputs of every stage of a layer whose weights stay as they are. */
public interface StageInputs {

    /** Nobody looks. */
    StageInputs IGNORED = (stage, chunk, x) -> {};

    /** Shows the same to another afterwards. */
    default StageInputs then(StageInputs other) {
        return (stage, block, x) -> {
            input(stage, block, x);
            other.input(stage, block, x);
        };
    }

    /**
     * Called once per block of tokens and stage.
     *
     * @param x the input of the stage's linears, operand type [tokens, in]; valid during the call
     */
    void input(Stage stage, int block, DeviceMatrix x);
}
