package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class IndependentChecksTest {

    @Test
    void throwsWhatTheFirstThrewAfterAllHaveBeenChecked() {
        List<Integer> items = IntStream.range(0, 200).boxed().toList();
        Set<Integer> seen = ConcurrentHashMap.newKeySet();

        assertThatIllegalArgumentException()
                .isThrownBy(() -> IndependentChecks.check(items, item -> {
                    seen.add(item);
                    if (item % 50 == 49) {
                        throw new IllegalArgumentException("item " + item);
                    }
                }))
                .withMessage("item 49");
        assertThat(seen).containsExactlyInAnyOrderElementsOf(items);
    }

    @Test
    void isSilentWhereAllIsWell() {
        IndependentChecks.check(List.of(), item -> {
            throw new IllegalStateException("there is none");
        });
        IndependentChecks.check(List.of(1, 2), item -> {});
    }
}
