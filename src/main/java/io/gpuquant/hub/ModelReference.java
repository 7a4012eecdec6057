package io.gpuquant.hub;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A model on the hub by its name.
 *
 * @param organization who published it
 * @param name what it is called there
 * @param revision a branch, a tag or a commit
 */
public record ModelReference(String organization, String name, String revision) {

    /** The branch that is meant when no revision is given. */
    public static final String DEFAULT_REVISION = "main";

    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");
    private static final String PART = "[A-Za-z0-9][A-Za-z0-9._-]{0,95}";

    private static final String REVISION = "[A-Za-z0-9][A-Za-z0-9._/-]{0,200}";
    private static final Pattern FORM = Pattern.compile("(" + PART + ")/(" + PART + ")(?:@(" + REVISION + "))?");

    /** What would lead out of the folders that names and revisions become in the cache, or to another model's. */
    private static final Pattern MISLEADING = Pattern.compile("\\.\\.|//|--[^/@]*/|/$|/\\.");

    /** Reads {@code org/name} or {@code org/name@revision}; empty for anything else, such as a path. */
    public static Optional<ModelReference> parse(String text) {
        Matcher form = FORM.matcher(text);
        if (!form.matches() || MISLEADING.matcher(text).find()) {
            return Optional.empty();
        }
        return Optional.of(new ModelReference(
                form.group(1), form.group(2), form.group(3) == null ? DEFAULT_REVISION : form.group(3)));
    }

    /** The name of the repository, {@code org/name}. */
    public String repository() {
        return organization + "/" + name;
    }

    /** Whether the revision is a commit, which never changes. */
    boolean isCommit() {
        return COMMIT.matcher(revision).matches();
    }

    @Override
    public String toString() {
        return repository() + (revision.equals(DEFAULT_REVISION) ? "" : "@" + revision);
    }
}
