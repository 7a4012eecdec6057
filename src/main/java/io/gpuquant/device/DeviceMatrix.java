package io.gpuquant.device;

import io.gpuquant.tensor.DType;

/**
 * A row-major matrix in device memory, or a window of one. A vector is a matrix of one row.
 *
 * @param byteOffset bytes from the start of the buffer to the first element
 * @param stride elements from the start of one row to the start of the next; at least {@code columns}
 */
public record DeviceMatrix(DeviceBuffer buffer, long byteOffset, DType dtype, int rows, int columns, int stride) {

    public DeviceMatrix {
        if (rows < 0 || columns < 0 || stride < columns || byteOffset < 0) {
            throw new IllegalArgumentException("a matrix of " + rows + " rows, " + columns + " columns, stride "
                    + stride + " at byte " + byteOffset + " of " + buffer);
        }
        if (rows > 0 && columns > 0) {
            long last = byteOffset + dtype.bytes((long) (rows - 1) * stride + columns);
            if (last > buffer.byteSize()) {
                throw new IllegalArgumentException("a " + rows + " x " + columns + " " + dtype + " matrix with stride "
                        + stride + " at byte " + byteOffset + " ends " + (last - buffer.byteSize())
                        + " bytes past the end of " + buffer);
            }
        }
    }

    /** A dense matrix at the start of a buffer. */
    public static DeviceMatrix of(DeviceBuffer buffer, DType dtype, int rows, int columns) {
        return new DeviceMatrix(buffer, 0, dtype, rows, columns, columns);
    }

    /** A vector at the start of a buffer. */
    public static DeviceMatrix vector(DeviceBuffer buffer, DType dtype, int length) {
        return of(buffer, dtype, 1, length);
    }

    /** Allocates a dense matrix; closing {@link #buffer()} frees it. */
    public static DeviceMatrix allocate(Device device, String name, DType dtype, int rows, int columns) {
        long bytes = dtype.bytes(Math.multiplyExact((long) rows, (long) columns));
        return of(device.allocate(name, bytes), dtype, rows, columns);
    }

    /** The device address of the first element. */
    public long address() {
        return buffer.address() + byteOffset;
    }

    /** Number of elements, gaps between rows not counted. */
    public long elementCount() {
        return (long) rows * columns;
    }

    /** Whether rows follow each other without a gap. */
    public boolean isDense() {
        return stride == columns || rows <= 1;
    }

    /** Rows {@code first} to {@code first + count - 1}. */
    public DeviceMatrix rows(int first, int count) {
        if (first < 0 || count < 0 || first + count > rows) {
            throw new IllegalArgumentException("rows " + first + " to " + (first + count) + " of " + this);
        }
        return new DeviceMatrix(buffer, byteOffset + dtype.bytes((long) first * stride), dtype, count, columns, stride);
    }

    /** Columns {@code first} to {@code first + count - 1}. */
    public DeviceMatrix columns(int first, int count) {
        if (first < 0 || count < 0 || first + count > columns) {
            throw new IllegalArgumentException("columns " + first + " to " + (first + count) + " of " + this);
        }
        return new DeviceMatrix(buffer, byteOffset + dtype.bytes(first), dtype, rows, count, stride);
    }

    /**
     * The same elements seen with other extents.
     *
     * @throws IllegalArgumentException when rows are not dense or the element count differs
     */
    public DeviceMatrix reshape(int newRows, int newColumns) {
        if (!isDense() || (long) newRows * newColumns != elementCount()) {
            throw new IllegalArgumentException(this + " cannot be seen as " + newRows + " x " + newColumns);
        }
        return new DeviceMatrix(buffer, byteOffset, dtype, newRows, newColumns, newColumns);
    }

    /** Bytes of a dense matrix of this size. */
    public long byteSize() {
        return dtype.bytes(elementCount());
    }

    @Override
    public String toString() {
        return buffer.name() + ": " + dtype + "[" + rows + ", " + columns + "]"
                + (isDense() ? "" : " with stride " + stride);
    }
}
