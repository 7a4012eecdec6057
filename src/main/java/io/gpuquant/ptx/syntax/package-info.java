/**
 * PTX as text: a lexer, a parser and the tree they make. What an instruction does is not known here; only how it is
 * written.
 */
@NullMarked
package io.gpuquant.ptx.syntax;

import org.jspecify.annotations.NullMarked;
