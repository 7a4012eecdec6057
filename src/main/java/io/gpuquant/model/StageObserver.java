package io.gpuquant.model;

import io.gpuquant.device.DeviceMatrix;

/** Is shown the inputs of every stage, and may change its weights before they are used. */
public interface StageObserver {

    /** Called once per block of tokens, in their order. @param x the input of the stage's linears, operand type [tokens, in]; valid during the call */
    void input(Stage stage, DeviceMatrix x);

    /** Called when all blocks have been shown; the layer goes on with the weights as they are at the return. */
    void inputsComplete(StageWeights weights);
}
