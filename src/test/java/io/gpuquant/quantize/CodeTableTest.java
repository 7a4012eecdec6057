package io.gpuquant.quantize;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class CodeTableTest {

    /** Of the 1024 bytes that bitsandbytes writes as {@code nested_quant_map}. */
    private static final String DYNAMIC = "e732639a65f497b4ad684bb166a4467708255edd5207757de8b8f0c7e1fda89c";

    @Test
    void theDynamicMapIsThatOfBitsandbytes() throws NoSuchAlgorithmException {
        ByteBuffer bytes = ByteBuffer.allocate(1024).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(CodeTable.DYNAMIC.values());
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes.array());
        assertThat(HexFormat.of().formatHex(digest)).isEqualTo(DYNAMIC);
    }

    @Test
    void everyValueIsFoundByItsOwnCode() {
        for (CodeTable table : new CodeTable[] {CodeTable.NF4, CodeTable.FP4, CodeTable.DYNAMIC}) {
            float[] thresholds = table.thresholds();
            byte[] codes = table.codes();
            for (int code = 0; code < codes.length; code++) {
                float value = table.values()[code];
                int above = 0;
                for (float threshold : thresholds) {
                    above += threshold < value ? 1 : 0;
                }
                assertThat(table.values()[codes[above] & 255]).isEqualTo(value);
            }
        }
    }

    @Test
    void smoothingIsThePowerLawOfThePaper() {
        float[] scales = Smoothing.scales(new float[] {16, 0, 1}, new float[] {4, 1, 0}, 0.5);
        assertThat(scales[0]).isEqualTo(2);
        assertThat(scales[1]).isEqualTo(1);
        assertThat(scales[2]).isEqualTo((float) Math.sqrt(1 / (double) 1e-5f));
    }
}
