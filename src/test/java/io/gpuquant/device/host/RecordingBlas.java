package io.gpuquant.device.host;

import io.gpuquant.device.Blas;
import io.gpuquant.device.Gemm;
import io.gpuquant.device.Stream;
import java.util.ArrayList;
import java.util.List;

/** Notes the extents of products and computes none. */
final class RecordingBlas implements Blas {

    final List<Integer> rows = new ArrayList<>();
    final List<Integer> columns = new ArrayList<>();
    final List<Integer> sums = new ArrayList<>();

    @Override
    public String description() {
        return "none";
    }

    @Override
    public void gemm(Stream stream, Gemm gemm) {
        rows.add(gemm.m());
        columns.add(gemm.n());
        sums.add(gemm.k());
    }
}
