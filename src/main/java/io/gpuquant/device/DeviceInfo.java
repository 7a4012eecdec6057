package io.gpuquant.device;

/**
 * What a device is.
 *
 * @param id the word that selects it on the command line, such as {@code cuda:0} or {@code host}
 * @param name the product name
 * @param architecture the instruction set that kernels run with, such as {@code sm_90}
 * @param multiprocessors streaming multiprocessors, or processor cores on the host
 * @param memoryBytes memory that the device has in all
 * @param driver the driver or library versions that run it, in words
 */
public record DeviceInfo(
        String id, String name, String architecture, int multiprocessors, long memoryBytes, String driver) {

    /** The word before the colon in its id. */
    public String kind() {
        int colon = id.indexOf(':');
        return colon < 0 ? id : id.substring(0, colon);
    }
}
