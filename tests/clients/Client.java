// Makes each request ROUNDS times with Java's HttpClient and counts the responses that arrive.
//
// usage: java tests/clients/Client.java URL ROUNDS 1|2 TABLE [CERTIFICATE]

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Client {
    public static void main(String[] words) throws Exception {
        String base = words[0];
        int rounds = Integer.parseInt(words[1]);
        var builder = HttpClient.newBuilder()
                .version(words[2].equals("1") ? HttpClient.Version.HTTP_1_1 : HttpClient.Version.HTTP_2);
        if (words.length > 4) builder.sslContext(trusting(Path.of(words[4])));
        HttpClient client = builder.build();
        boolean isComplete = true;
        for (String line : Files.readAllLines(Path.of(words[3]))) {
            String[] cells = line.split("\t");
            byte[] body = "x".repeat(Integer.parseInt(cells[4])).getBytes();
            isComplete &= play(client, base, cells, "whole", HttpRequest.BodyPublishers.ofByteArray(body), rounds);
            var inPieces = HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body));
            isComplete &= play(client, base, cells, "in pieces", inPieces, rounds);
        }
        System.exit(isComplete ? 0 : 1);
    }

    private static boolean play(
            HttpClient client, String base, String[] cells, String kind, HttpRequest.BodyPublisher body, int rounds)
            throws InterruptedException {
        int status = Integer.parseInt(cells[0]);
        HttpRequest request = HttpRequest.newBuilder(URI.create(base + cells[2]))
                .method(cells[1], body)
                .header("Content-Type", cells[3])
                .timeout(Duration.ofSeconds(30))
                .build();
        int answered = 0;
        String last = "";
        for (int round = 0; round < rounds; round++) {
            try {
                HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
                if (answer.statusCode() == status && !answer.body().isEmpty()) answered++;
                else last = "status " + answer.statusCode() + ", " + answer.body().length() + " characters";
            } catch (IOException error) {
                last = error.toString();
            }
        }
        System.out.println((cells[0] + " " + cells[1] + ", " + cells[4] + " bytes " + kind + ": " + answered + " of "
                + rounds + " " + last).trim());
        return answered == rounds;
    }

    private static SSLContext trusting(Path certificate) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (var file = Files.newInputStream(certificate)) {
            store.setCertificateEntry("site", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }
}
