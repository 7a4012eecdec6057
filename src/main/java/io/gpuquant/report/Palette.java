package io.gpuquant.report;

/** Colours. Those of checkpoints are classes of the style sheet, which knows them for light and for dark. */
final class Palette {

    /** Classes of colours; the first is the base's. */
    private static final int COLORS = 8;

    /** From little to much, dark to light, told apart by people who do not see all colours. */
    private static final int[] RAMP = {0x2d1160, 0x5a1f80, 0x8c2981, 0xc03a76, 0xee605e, 0xfd9668, 0xfecb8a, 0xfcf3b0};

    private Palette() {}

    /** The class of a checkpoint's colour; the base has number zero. */
    static String of(int checkpoint) {
        return "c" + (checkpoint == 0 ? 0 : 1 + (checkpoint - 1) % (COLORS - 1));
    }

    /** A colour of the ramp. @param share from 0 for the least to 1 for the most */
    static String ramp(double share) {
        double place = Math.clamp(share, 0.0, 1.0) * (RAMP.length - 1);
        int lower = Math.min((int) place, RAMP.length - 2);
        int color = 0;
        for (int shift = 16; shift >= 0; shift -= 8) {
            int from = RAMP[lower] >> shift & 0xff;
            int to = RAMP[lower + 1] >> shift & 0xff;
            color |= (int) Math.round(from + (to - from) * (place - lower)) << shift;
        }
        return String.format(java.util.Locale.ROOT, "#%06x", color);
    }

    /** Whether dark letters are read better on a colour of the ramp than light ones. */
    static boolean isLight(double share) {
        return share > 0.6;
    }
}
