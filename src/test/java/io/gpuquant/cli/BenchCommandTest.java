package io.gpuquant.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.bench.BenchReport;
import io.gpuquant.bench.LayerShape;
import io.gpuquant.bench.Measurement;
import io.gpuquant.bench.Rates;
import io.gpuquant.bench.Work;
import io.gpuquant.device.DeviceInfo;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;

class BenchCommandTest {

    @Test
    void saysWhichWayToComputeAttentionWinsAndTheOptionForIt() {
        assertThat(text(way("tiled", 3), way("fused", 1.5)))
                .containsPattern("attention +shape +time .*\ntiled +.*\nfused +.*\n")
                .contains("fused wins: tiled takes 2.00 times as long; use --attention fused");
        assertThat(text(way("tiled", 1), way("fused", 1.5)))
                .contains("tiled wins: fused takes 1.50 times as long; use --attention tiled");
        assertThat(text(way("tiled", 1))).contains("only --attention tiled can compute such heads here");
        assertThat(text()).doesNotContain("--attention");
    }

    private static Measurement way(String name, double seconds) {
        return new Measurement(name, "a shape", seconds, new Work(0, 0, 0));
    }

    private static String text(Measurement... attention) {
        BenchReport report = new BenchReport(
                new DeviceInfo("cuda:0", "a GPU", "sm_80", 1, 1, ""),
                "none",
                LayerShape.SMALL,
                new Rates(1, 1, 1),
                List.of(),
                List.of(attention),
                List.of(),
                List.of());
        StringWriter out = new StringWriter();
        BenchCommand.print(report, new PrintWriter(out, true));
        return out.toString();
    }
}
