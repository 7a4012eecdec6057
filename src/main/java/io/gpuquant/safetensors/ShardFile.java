package io.gpuquant.safetensors;

import io.gpuquant.InputException;
import io.gpuquant.file.OutputFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** Makes and reopens the files of a checkpoint that is being written. */
final class ShardFile {

    private ShardFile() {}

    /** Makes the file with its header and final length. */
    static OutputFile create(Path path, ShardLayout layout) {
        OutputFile file = OutputFile.create(path, layout.dataBytes() > 0 ? layout.fileBytes() : 0);
        try {
            file.write(MemorySegment.ofArray(layout.header()), 0);
            return file;
        } catch (Throwable e) {
            file.close();
            throw e;
        }
    }

    /** Opens a file that {@link #create} made and checks that it is of this layout. */
    static OutputFile reopen(Path path, ShardLayout layout) {
        OutputFile file = OutputFile.reopen(path);
        try {
            requireLayout(file, layout);
            return file;
        } catch (Throwable e) {
            file.close();
            throw e;
        }
    }

    private static void requireLayout(OutputFile file, ShardLayout layout) {
        boolean same = file.size() == layout.fileBytes()
                && file.view(0, layout.dataStart()).mismatch(MemorySegment.ofArray(layout.header())) < 0;
        if (!same) {
            throw new InputException(file.path() + " is not the file that this run would have begun;"
                    + " remove the unfinished output, or finish it with the options and version it was begun with");
        }
    }
}
