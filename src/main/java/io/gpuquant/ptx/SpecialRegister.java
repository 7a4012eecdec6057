package io.gpuquant.ptx;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A predefined register. All of them are constant while a block runs, so their registers are filled beforehand. */
enum SpecialRegister {
    TID_X("%tid.x") {
        @Override
        int value(Block block, int thread) {
            return thread % block.launch().blockX();
        }
    },
    TID_Y("%tid.y") {
        @Override
        int value(Block block, int thread) {
            return thread / block.launch().blockX() % block.launch().blockY();
        }
    },
    TID_Z("%tid.z") {
        @Override
        int value(Block block, int thread) {
            return thread / block.launch().blockX() / block.launch().blockY();
        }
    },
    NTID_X("%ntid.x") {
        @Override
        int value(Block block, int thread) {
            return block.launch().blockX();
        }
    },
    NTID_Y("%ntid.y") {
        @Override
        int value(Block block, int thread) {
            return block.launch().blockY();
        }
    },
    NTID_Z("%ntid.z") {
        @Override
        int value(Block block, int thread) {
            return block.launch().blockZ();
        }
    },
    CTAID_X("%ctaid.x") {
        @Override
        int value(Block block, int thread) {
            return block.x();
        }
    },
    CTAID_Y("%ctaid.y") {
        @Override
        int value(Block block, int thread) {
            return block.y();
        }
    },
    CTAID_Z("%ctaid.z") {
        @Override
        int value(Block block, int thread) {
            return block.z();
        }
    },
    NCTAID_X("%nctaid.x") {
        @Override
        int value(Block block, int thread) {
            return block.launch().gridX();
        }
    },
    NCTAID_Y("%nctaid.y") {
        @Override
        int value(Block block, int thread) {
            return block.launch().gridY();
        }
    },
    NCTAID_Z("%nctaid.z") {
        @Override
        int value(Block block, int thread) {
            return block.launch().gridZ();
        }
    },
    LANEID("%laneid") {
        @Override
        int value(Block block, int thread) {
            return thread % Operation.LANES;
        }
    },
    WARPID("%warpid") {
        @Override
        int value(Block block, int thread) {
            return thread / Operation.LANES;
        }
    },
    NWARPID("%nwarpid") {
        @Override
        int value(Block block, int thread) {
            return block.launch().warpsPerBlock();
        }
    },
    LANEMASK_EQ("%lanemask_eq") {
        @Override
        int value(Block block, int thread) {
            return 1 << thread;
        }
    },
    LANEMASK_LT("%lanemask_lt") {
        @Override
        int value(Block block, int thread) {
            return (1 << thread) - 1;
        }
    },
    LANEMASK_LE("%lanemask_le") {
        @Override
        int value(Block block, int thread) {
            return (1 << thread) - 1 | 1 << thread;
        }
    },
    LANEMASK_GE("%lanemask_ge") {
        @Override
        int value(Block block, int thread) {
            return -(1 << thread);
        }
    },
    LANEMASK_GT("%lanemask_gt") {
        @Override
        int value(Block block, int thread) {
            return -(1 << thread) & ~(1 << thread);
        }
    },
    DYNAMIC_SHARED("%dynamic_smem_size") {
        @Override
        int value(Block block, int thread) {
            return block.launch().dynamicSharedBytes();
        }
    };

    private static final Map<String, SpecialRegister> BY_NAME = new HashMap<>();

    static {
        for (SpecialRegister register : values()) {
            BY_NAME.put(register.text, register);
        }
    }

    private final String text;

    SpecialRegister(String text) {
        this.text = text;
    }

    static @Nullable SpecialRegister named(String name) {
        return BY_NAME.get(name);
    }

    /** Whether it differs between the blocks of a launch. */
    boolean dependsOnBlock() {
        return this == CTAID_X || this == CTAID_Y || this == CTAID_Z;
    }

    /** Its value in a thread of a block. */
    abstract int value(Block block, int thread);
}
