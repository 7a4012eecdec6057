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
        Thread launching = new Thread(() -> trace.add("rope"));
        trace.add("norm");
        trace.add(new Object() {
            @Override
            public String toString() {
                launching.start();
                try {
                    // It is done long before, unless it has to wait for the end of the reading, as it should.
                    launching.join(500);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                return "softmax";
            }
        });
        assertThat(trace.latestFirst()).containsExactly("softmax", "norm");
        launching.join();
    }
}
