/**
 * A checkpoint that lies at an address of one of Flink's file systems, brought to this machine.
 *
 * <pre>
 * s3://bucket/models/NAME -- RemoteFolder --> PartialDownload -- ModelStore --> CACHE/models/HASH
 *                             (Flink's          (goes on where      (a folder for
 *                              file system)      it ended)           each content)
 * </pre>
 *
 * <p>A machine fetches a checkpoint once: {@link io.layerskip.remote.RemoteModel} asks for the
 * sizes and the modification times of its files, and if they are those of what was fetched before,
 * that is used. What is fetched lies under a hash of its content, so that two revisions of one
 * address, or two jobs that use different ones, do not touch each other.
 *
 * <p>The files are as untrusted as those of any checkpoint: they are asked for by the names that
 * {@link io.layerskip.model.CheckpointFiles} has for them, within its bounds.
 */
package io.layerskip.remote;
