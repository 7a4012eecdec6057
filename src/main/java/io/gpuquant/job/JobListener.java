package io.gpuquant.job;

import io.gpuquant.calibration.CalibrationReport;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.quantize.LinearReport;

/** Is told how a job goes on. */
public interface JobListener {

    /** Everything has been checked and decided. */
    default void planned(QuantizationPlan plan) {}

    /** The device that computes is open. */
    default void deviceOpened(DeviceInfo device) {}

    /** The calibration text has been read. */
    default void calibrated(CalibrationReport report) {}

    /** An earlier run had finished some layers; they are not done again. */
    default void resumed(int layersDone) {}

    /** A linear has been quantized. */
    default void linearDone(LinearReport report) {}

    /** A layer has been done, or passed through again after a resume. */
    default void layerDone(int done, int total) {}

    /** The tensors are written, and are being read back. */
    default void verifying() {}
}
