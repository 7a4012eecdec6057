package io.gpuquant.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class HostTensorTest {

    @Test
    void takesExactlyTheBytesOfItsElements() {
        HostTensor tensor = new HostTensor("w", DType.BF16, Shape.of(2, 3), MemorySegment.ofArray(new byte[12]));

        assertThat(tensor.byteSize()).isEqualTo(12);
    }

    @Test
    void takesSubByteTypesThatFillWholeBytes() {
        HostTensor tensor = new HostTensor("w", DType.F4, Shape.of(3, 2), MemorySegment.ofArray(new byte[3]));

        assertThat(tensor.byteSize()).isEqualTo(3);
    }

    @Test
    void refusesAnyOtherNumberOfBytes() {
        for (int bytes : new int[] {0, 11, 13}) {
            assertThatThrownBy(() ->
                            new HostTensor("w", DType.BF16, Shape.of(2, 3), MemorySegment.ofArray(new byte[bytes])))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("w: BF16[2, 3] needs 12 bytes, got " + bytes);
        }
    }
}
