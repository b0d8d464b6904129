package io.layerskip.remote;

/**
 * A file at an address, as its file system tells it from others of the same name.
 *
 * @param size in bytes
 * @param modified in ms since 1970; 0 where the file system keeps no such time
 */
record RemoteFile(String name, long size, long modified) {}
