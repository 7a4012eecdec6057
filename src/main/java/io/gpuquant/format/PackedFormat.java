package io.gpuquant.format;

/** A file format for quantized linears, in one of its versions. */
public sealed interface PackedFormat permits GptqVersion, AwqVersion, CompressedTensors {

    /** Its name in config.json. */
    String formatName();

    /** The smallest zero point that it can hold. */
    int smallestZero();
}
