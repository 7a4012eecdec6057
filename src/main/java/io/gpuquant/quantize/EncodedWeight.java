package io.gpuquant.quantize;

import io.gpuquant.device.DeviceMatrix;
import java.util.function.Consumer;

/** A weight as elements of a narrow type, on the device. */
public final class EncodedWeight implements AutoCloseable {

    private final DeviceMatrix codes;
    private final DeviceMatrix scales;
    private final DeviceMatrix maxima;
    private final Consumer<DeviceMatrix> decoder;
    private final Scratch memory;

    EncodedWeight(
            DeviceMatrix codes,
            DeviceMatrix scales,
            DeviceMatrix maxima,
            Consumer<DeviceMatrix> decoder,
            Scratch memory) {
        this.codes = codes;
        this.scales = scales;
        this.maxima = maxima;
        this.decoder = decoder;
        this.memory = memory;
    }

    /** U8 [out, in], a code in each byte. */
    public DeviceMatrix codes() {
        return codes;
    }

    /** What follows from the largest magnitudes of blocks: F32, or U8 where it is encoded itself. */
    public DeviceMatrix scales() {
        return scales;
    }

    /** F32, the largest magnitudes that the last level of scales comes from. */
    public DeviceMatrix maxima() {
        return maxima;
    }

    /**
     * Computes what the codes stand for.
     *
     * @param weight F32, F16 or BF16 [out, in], dense
     */
    public void decode(DeviceMatrix weight) {
        decoder.accept(weight);
    }

    @Override
    public void close() {
        memory.close();
    }
}
