package io.gpuquant.job;

import java.nio.file.Path;
import java.util.List;

/**
 * What a job made.
 *
 * @param files one, or the parts of a split set
 * @param resumedTensors how many an earlier run had finished
 * @param verifiedTensors how many were read back and found to be what was written
 */
public record GgufResult(GgufPlan plan, List<Path> files, int resumedTensors, int verifiedTensors) {

    public GgufResult {
        files = List.copyOf(files);
    }
}
