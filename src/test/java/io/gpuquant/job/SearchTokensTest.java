package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.model.Chunking;
import io.gpuquant.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SearchTokensTest {

    private static final int WIDTH = 4;

    @Test
    void areBlocksSpreadOverAllSequences() {
        assertThat(SearchTokens.blocks(Chunking.of(3, 64))).containsExactly(0);
        assertThat(SearchTokens.blocks(new Chunking(3, 64, 3))).containsExactly(0, 1, 2);
        assertThat(SearchTokens.blocks(Chunking.of(128, 512))).containsExactly(0, 8, 16, 24);
        assertThat(SearchTokens.blocks(Chunking.of(128, 8192))).containsExactly(0);
    }

    /** Blocks of some devices begin elsewhere than those of one, and some devices have none of the tokens. */
    @ParameterizedTest
    @CsvSource({
        "128, 2048, 1, 4",
        "128, 2048, 2, 4",
        "127, 2048, 3, 4",
        "128, 2048, 7, 4",
        "130, 512, 1, 4",
        "130, 512, 3, 6",
        "5, 64, 3, 3",
        "9, 8192, 4, 1"
    })
    void areTheSameOfSeveralDevicesAsOfOne(int sequences, int length, int devices, int pieces) {
        Chunking all = Chunking.of(sequences, length);
        List<Integer> expected = new ArrayList<>();
        for (int block : SearchTokens.blocks(all)) {
            for (int i = block * all.perBlock(); i < Math.min((block + 1) * all.perBlock(), sequences); i++) {
                expected.add(i);
            }
        }
        List<Integer> found = new ArrayList<>();
        int runs = 0;
        for (int i = 0; i < devices; i++) {
            Seat seat = new Seat(i, devices);
            Chunking own = seat.chunking(sequences, length);
            SearchTokens tokens = new SearchTokens(own, seat, sequences);
            for (int block = 0; block < own.blocks(); block++) {
                int first = block * own.perBlock();
                int count = Math.min(own.perBlock(), own.sequences() - first);
                for (DeviceMatrix run : tokens.of(block, tokensOf(first, count, length))) {
                    runs++;
                    assertThat(run.rows() % length).isZero();
                    int begin = (int) (run.byteOffset() / DType.F16.bytes((long) length * WIDTH));
                    for (int each = begin; each < begin + run.rows() / length; each++) {
                        found.add(seat.firstSequence(sequences) + each);
                    }
                }
            }
        }
        assertThat(found).isEqualTo(expected);
        assertThat(runs).isEqualTo(pieces);
    }

    /** A block of a matrix of all tokens of a device, of which only the place is looked at. */
    private static DeviceMatrix tokensOf(int first, int count, int length) {
        int end = (first + count) * length;
        long bytes = DType.F16.bytes((long) end * WIDTH);
        return DeviceMatrix.of(new DeviceBuffer("tokens", 256, bytes, () -> {}), DType.F16, end, WIDTH)
                .rows(first * length, count * length);
    }
}
