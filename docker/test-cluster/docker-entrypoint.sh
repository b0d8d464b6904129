#!/usr/bin/env bash
# Does what the official image's entrypoint and Flink's scripts do: the environment's settings go to
# conf/config.yaml, Flink works out the memory of the JVM, and its class takes over. Like the official
# one, it goes on when it cannot write the settings.

lib="$FLINK_HOME/lib/*"
conf=$FLINK_HOME/conf

utilities() {
    java -cp "$lib" org.apache.flink.runtime.util.bash.BashJavaUtils "$1" --configDir "$conf" "${@:2}" |
        sed -n 's/^BASH_JAVA_UTILS_EXEC_RESULT://p'
}

settings=("-Djobmanager.rpc.address=${JOB_MANAGER_RPC_ADDRESS:-$(hostname -f)}" -Dblob.server.port=6124)
while IFS=: read -r key value; do
    [[ -z $key ]] || settings+=("-D$key=$value")
done < <(tr -d ' \t' <<< "${FLINK_PROPERTIES:-}")
configuration=$(utilities UPDATE_AND_GET_FLINK_CONFIGURATION "${settings[@]}")
echo "$configuration" > "$conf/config.yaml"

LD_PRELOAD=$(echo /usr/lib/*/libjemalloc.so.2)
export LD_PRELOAD

case $1 in
    jobmanager)
        memory=GET_JM_RESOURCE_PARAMS
        main=org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint
        ;;
    standalone-job)
        memory=GET_JM_RESOURCE_PARAMS
        main=org.apache.flink.container.entrypoint.StandaloneApplicationClusterEntryPoint
        ;;
    taskmanager)
        memory=GET_TM_RESOURCE_PARAMS
        main=org.apache.flink.runtime.taskexecutor.TaskManagerRunner
        ;;
    help)
        echo "Usage: docker-entrypoint.sh (jobmanager|standalone-job|taskmanager|help)"
        exit
        ;;
    *) exec "$@" ;;
esac
mapfile -t resources < <(utilities "$memory")
# shellcheck disable=SC2086 # The resources are words.
exec java ${resources[0]} -Dlog4j.configurationFile="$conf/log4j-console.properties" -cp "$lib" "$main" \
    --configDir "$conf" ${resources[1]} "${@:2}"
