package io.gpuquant.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class DequantizerTest {

    static List<GgmlType> types() {
        return GoldenBlocks.types();
    }

    /** Checksums of what ggml's own dequantizers make of the golden blocks with importance. */
    @ParameterizedTest
    @CsvSource({
        "Q4_0, b57d67fd58e87c6a0437d8dd706638234ba3642667b2fb2d90e774c73d77fb29",
        "Q4_1, ad18417be03a948c6944211f51d2c83d9c7404348dc8d7410bea720f7951226f",
        "Q5_0, a0eaac3e5125ade5f4ef3d59f42aae653fcd914893f20b75ab245f54fdec8c4f",
        "Q5_1, 828754d38d0e48b93277b25243d96a40ee491ffce13fb9f4f9c14154bd9935ea",
        "Q8_0, d297b91ea151d04f6aa8c102fce8d25f99438cc41c788b177419915faf180b6c",
        "Q2_K, aa4d09cf7244dfa421e1bd9039457f02a1498e820a43e625abb49fabd63afc85",
        "Q3_K, 69c9d60d13fc3aeaf5cc79c5d8373db7ed3297a8ab3a3f34602e1302ab48e672",
        "Q4_K, 75973483a9833c8c5dcfadba8a5c7f198a36a5598f3d21119a102d40240a11bf",
        "Q5_K, a91ecf533c37fb1ffcb5bfc7e911fbb343cf1834a4c4a9458b2ccc6e9c14c459",
        "Q6_K, 2497406868016a0edd3bf7f218663ca5cd84af2e4fe4bea28e7ce7512d860b7c",
        "IQ4_NL, 2c9ed730dd1e1db53db0113f2f79e4b38265927bb788b8f76e7f1e37b5c92a1c",
        "IQ4_XS, 73f192fea39796b7671c0478bbf66b064b591f60f1c1d33e17bdde9f1ff60078"
    })
    void everyBitIsThatOfGgml(GgmlType type, String checksum) throws NoSuchAlgorithmException {
        float[] weights = new float[GoldenBlocks.ROWS * GoldenBlocks.COLUMNS];
        Dequantizer.dequantize(type, MemorySegment.ofArray(GoldenBlocks.blocks(type, true)), weights);
        ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * weights.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float weight : weights) {
            bytes.putFloat(weight);
        }
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes.array());
        assertThat(HexFormat.of().formatHex(digest)).isEqualTo(checksum);
    }

    /** The first rows are Gaussian: blocks of few bits are coarse, but nowhere arbitrary. */
    @ParameterizedTest
    @MethodSource("types")
    void weightsComeBackAsWellAsTheirBitsAllow(GgmlType type) {
        float[] original = GoldenBlocks.weights();
        float[] weights = new float[original.length];
        Dequantizer.dequantize(type, MemorySegment.ofArray(GoldenBlocks.blocks(type, false)), weights);
        double error = 0;
        double energy = 0;
        for (int i = 0; i < GoldenBlocks.COLUMNS; i++) {
            error += Math.pow(weights[i] - original[i], 2);
            energy += Math.pow(original[i], 2);
        }
        assertThat(Math.sqrt(error / energy)).isLessThan(2 * Math.pow(2, -Math.floor(type.bitsPerWeight() - 0.5)));
    }

    @Test
    void blocksThatAreNotThereAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () -> Dequantizer.dequantize(GgmlType.Q8_0, MemorySegment.ofArray(new byte[67]), new float[64]))
                .withMessage("67 bytes of Q8_0 are not 64 weights");
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        Dequantizer.dequantize(GgmlType.Q6_K, MemorySegment.ofArray(new byte[210]), new float[255]));
    }

    @Test
    void typesAreFoundByNumberAndName() {
        for (GgmlType type : GgmlType.values()) {
            assertThat(GgmlType.withId(type.id())).contains(type);
            assertThat(GgmlType.named(type.name().toLowerCase(java.util.Locale.ROOT)))
                    .contains(type);
        }
        assertThat(GgmlType.withId(39)).isEmpty();
        assertThat(GgmlType.named("Q4_K_M")).isEmpty();
        assertThat(GgmlType.Q6_K.bitsPerWeight()).isEqualTo(6.5625);
    }
}
