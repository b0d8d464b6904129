import io.layerskip.local.EmbeddedBroker;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;

/** A broker with topics at an address that containers reach too; runs until it is killed. */
final class Broker {

    public static void main(String[] args) throws Exception {
        String address = args[0];
        EmbeddedBroker.start(
                Map.of(
                        "listeners", "BROKER://" + address + ",CONTROLLER://127.0.0.1:9093",
                        "controller.quorum.voters", "1@127.0.0.1:9093"));
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
            List<NewTopic> topics =
                    Stream.of(args).skip(1).map(name -> new NewTopic(name, 2, (short) 1)).toList();
            admin.createTopics(topics).all().get();
        }
        System.out.println("Broker and topics are there");
    }
}
