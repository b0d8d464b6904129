package io.layerskip.remote;

import io.layerskip.model.CheckpointFiles;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What lay at an address when it was fetched.
 *
 * @param address for who looks at the file that this is kept in
 * @param hash of the content
 */
record FetchedModel(String address, String hash, List<RemoteFile> files) {

    FetchedModel {
        files = List.copyOf(files);
    }

    /** The weights' files, if they are several. */
    Set<String> shards() {
        Set<String> others =
                Stream.concat(
                                CheckpointFiles.SMALL.stream().map(CheckpointFiles.Small::name),
                                Stream.of(CheckpointFiles.WEIGHTS, CheckpointFiles.INDEX.name()))
                        .collect(Collectors.toSet());
        Set<String> shards = new TreeSet<>();
        files.stream()
                .map(RemoteFile::name)
                .filter(name -> !others.contains(name))
                .forEach(shards::add);
        return shards;
    }
}
