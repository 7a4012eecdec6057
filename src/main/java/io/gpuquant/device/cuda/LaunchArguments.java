package io.gpuquant.device.cuda;

import io.gpuquant.device.KernelArguments.Argument;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import jcuda.Pointer;

/**
 * The arguments of a launch as the driver wants them: an array of pointers to the values. The driver has copied the values
 * when the launch returns, so the memory serves every launch of a stream; the pointers never change.
 */
final class LaunchArguments {

    /** More than any kernel has; the parameters of a kernel may take 4352 bytes. */
    private static final int CAPACITY = 544;

    private final MemorySegment values;
    private final Pointer pointers;

    LaunchArguments(Arena arena) {
        values = arena.allocate(ValueLayout.JAVA_LONG, CAPACITY);
        MemorySegment addresses = arena.allocate(ValueLayout.JAVA_LONG, CAPACITY);
        for (int i = 0; i < CAPACITY; i++) {
            addresses.setAtIndex(ValueLayout.JAVA_LONG, i, values.address() + (long) i * Long.BYTES);
        }
        pointers = new HostPointer(addresses);
    }

    /** Stores the values; the machine is little-endian, so a narrow value is the first bytes of its slot. */
    Pointer store(List<Argument> arguments) {
        for (int i = 0; i < arguments.size(); i++) {
            values.setAtIndex(ValueLayout.JAVA_LONG, i, arguments.get(i).bits());
        }
        return pointers;
    }
}
