package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LaunchTraceTest {

    @Test
    void namesEachOnceTheLastFirst() {
        LaunchTrace trace = new LaunchTrace();
        trace.add("norm");
        trace.add("rope");
        trace.add("norm");
        assertThat(trace.latestFirst()).containsExactly("norm", "rope");
        trace.clear();
        assertThat(trace.latestFirst()).isEmpty();
    }

    @Test
    void isReadByOneThreadWhileAnotherLaunches() throws InterruptedException {
        LaunchTrace trace = new LaunchTrace();
        Thread launching = new Thread(() -> {
            for (int i = 0; i < 200_000; i++) {
                trace.add(i % 100);
            }
        });
        launching.start();
        while (launching.isAlive()) {
            assertThat(trace.latestFirst()).doesNotHaveDuplicates();
        }
        launching.join();
        assertThat(trace.latestFirst()).hasSize(100).startsWith("99", "98");
    }
}
