package io.gpuquant.quantize;

/**
 * How the quantization of a linear went.
 *
 * @param name the linear
 * @param method the method that gave the result, in lower case
 * @param error the relative error: with the Gram matrix of calibration data that of the output, {@code tr(ΔW G ΔWᵀ) / tr(W G Wᵀ)}; without,
 *     or where G is no Gram matrix or outputs are all zero, that of the weights, the same with the identity for G
 * @param damping of the Hessian that was used, as a fraction of its mean diagonal; zero where there was none
 * @param deadFeatures input features that were zero for every token
 * @param note what the user should know, empty if nothing
 */
public record LinearReport(String name, String method, double error, double damping, int deadFeatures, String note) {}
