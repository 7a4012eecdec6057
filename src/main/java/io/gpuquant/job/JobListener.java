package io.gpuquant.job;

import io.gpuquant.calibration.CalibrationReport;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.quantize.LinearReport;
import java.util.List;

/** Is told how a job goes on. */
public interface JobListener {

    /** Everything has been checked and decided. */
    default void planned(QuantizationPlan plan) {}

    /** Everything has been checked and decided; these are sentences that the user should know. */
    default void planned(List<String> warnings) {}

    /** The device that computes is open. */
    default void deviceOpened(DeviceInfo device) {}

    /** The calibration text has been read. */
    default void calibrated(CalibrationReport report) {}

    /** It is known what the run will hold on the device. */
    default void forecast(MemoryPlan memory) {}

    /** An earlier run had finished some layers; they are not done again. */
    default void resumed(int layersDone) {}

    /** An unfinished run had finished some layers, but with other options, another text or another model: they are lost. */
    default void startedAnew(int layersLost) {}

    /** A linear has been quantized. */
    default void linearDone(LinearReport report) {}

    /** A layer has been done, or passed through again after a resume. */
    default void layerDone(int done, int total) {}

    /** The tensors are written, and are being read back. */
    default void verifying() {}
}
