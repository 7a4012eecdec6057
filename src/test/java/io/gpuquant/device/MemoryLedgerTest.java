package io.gpuquant.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Locale;
import org.junit.jupiter.api.Test;

class MemoryLedgerTest {

    private static final long MIB = 1L << 20;

    @Test
    void countsWhatIsHeldAndTheMostThatEverWas() {
        MemoryLedger ledger = new MemoryLedger("host", 100);
        ledger.add("a", 60);
        ledger.add("b", 40);
        ledger.remove("a", 60);
        ledger.add("c", 5);

        assertThat(ledger.heldBytes()).isEqualTo(45);
        assertThat(ledger.peakBytes()).isEqualTo(100);
        assertThat(ledger.limitBytes()).isEqualTo(100);
    }

    @Test
    void entersNothingBeyondTheLimit() {
        MemoryLedger ledger = new MemoryLedger("host", 100);
        ledger.add("a", 60);

        assertThatThrownBy(() -> ledger.add("b", 41)).isInstanceOf(DeviceOutOfMemoryException.class);
        assertThatThrownBy(() -> ledger.add("b", Long.MAX_VALUE)).isInstanceOf(DeviceOutOfMemoryException.class);
        assertThat(ledger.heldBytes()).isEqualTo(60);
        assertThat(ledger.peakBytes()).isEqualTo(60);
        ledger.add("b", 40);
    }

    @Test
    void saysWhatDidNotFitWhatIsHeldAndWhatToDo() {
        MemoryLedger ledger = new MemoryLedger("cuda:0", 2048 * MIB);
        ledger.add("Gram matrix", 1024 * MIB);
        ledger.add("weights", 300 * MIB);
        ledger.add("weights", 300 * MIB);
        ledger.add("logits", 16 * MIB);
        ledger.add("residual stream", MIB / 2);
        ledger.add("status", 4);

        assertThatThrownBy(() -> ledger.add("Hessian", 1024 * MIB))
                .hasMessage("not enough memory on cuda:0: Hessian needs 1024.0 MiB, 1640.5 MiB are in use (Gram matrix"
                        + " 1024.0 MiB, weights 600.0 MiB, logits 16.0 MiB, residual stream 512.0 KiB) and the limit is"
                        + " 2048.0 MiB; lower --sequence-length or --samples, or raise --device-memory if it was set");
    }

    @Test
    void forgetsWhatWasReleased() {
        MemoryLedger ledger = new MemoryLedger("host", 100);
        ledger.add("a", 60);
        ledger.add("b", 30);
        ledger.add("b", 10);
        ledger.remove("a", 60);
        ledger.remove("b", 30);

        assertThat(ledger.outOfMemory("c", 20L << 30, "it is full"))
                .hasMessageContaining("c needs 20.0 GiB, 0.0 KiB are in use (b 0.0 KiB) and it is full");
        ledger.remove("b", 10);
        assertThat(ledger.outOfMemory("c", 1024, "it is full"))
                .hasMessageContaining("c needs 1.0 KiB, 0.0 KiB are in use and it is full");
    }

    @Test
    void writesNumbersTheSameWayEverywhere() {
        Locale before = Locale.getDefault();
        try {
            Locale.setDefault(Locale.GERMANY);
            assertThat(new MemoryLedger("host", 0).outOfMemory("c", 1536, "it is full"))
                    .hasMessageContaining("1.5 KiB");
        } finally {
            Locale.setDefault(before);
        }
    }
}
