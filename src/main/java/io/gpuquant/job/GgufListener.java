package io.gpuquant.job;

import io.gpuquant.device.DeviceInfo;

/** Is told how the making of a GGUF file goes on. */
public interface GgufListener {

    /** Everything has been checked and decided. */
    default void planned(GgufPlan plan) {}

    /** The device that computes is open. */
    default void deviceOpened(DeviceInfo device) {}

    /** An earlier run had finished some tensors; they are not done again. */
    default void resumed(int tensorsDone) {}

    /** An unfinished run had finished some tensors, but with other options or another model: they are lost. */
    default void startedAnew(int tensorsLost) {}

    /** A tensor has been written, or had been. */
    default void tensorDone(int done, int total, long bytesDone, long bytesTotal) {}

    /** The tensors are written, and are being read back. */
    default void verifying() {}
}
