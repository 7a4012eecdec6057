package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class Lop3Test {

    @Test
    void everyTableIsTheFunctionThatItSpells() {
        Random random = new Random(1);
        for (int table = 0; table < Lop3.TABLES; table++) {
            LaneFunctions.Int3 function = Lop3.of(table);
            for (int i = 0; i < 20; i++) {
                int a = random.nextInt();
                int b = random.nextInt();
                int c = random.nextInt();
                assertThat(function.apply(a, b, c)).as("table %d", table).isEqualTo(bitByBit(table, a, b, c));
            }
        }
    }

    private static int bitByBit(int table, int a, int b, int c) {
        int result = 0;
        for (int bit = 0; bit < 32; bit++) {
            int row = (a >>> bit & 1) * 4 + (b >>> bit & 1) * 2 + (c >>> bit & 1);
            result |= (table >>> row & 1) << bit;
        }
        return result;
    }

    @Test
    void aTableHasOneFunction() {
        assertThat(Lop3.of(0xe8)).isSameAs(Lop3.of(0xe8));
    }
}
