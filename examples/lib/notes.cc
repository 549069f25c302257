/* notes.cc - a small JSON store over HTTP, in C++.
 *
 * usage: notes [ADDR:PORT]     c++ notes.cc $(pkg-config --cflags --libs httpsocket)
 *
 *     PUT /notes/NAME, GET /notes/NAME, DELETE /notes/NAME, GET /notes */
#include <httpsocket/server.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <map>
#include <string>

static std::map<std::string, std::string> notes; /* the server has one thread */
static httpsocket_server *server;

static void answer(httpsocket_request *r, int status, const std::string &body)
{
    httpsocket_request_answer(r, status, "application/json", body.data(), body.size());
}

static void keep(httpsocket_request *r, int error, const void *data, size_t size, void *)
{
    if (error) {
        answer(r, error == -EMSGSIZE ? 413 : 400, "{}");
        return;
    }
    notes[httpsocket_request_param(r, "name")].assign(static_cast<const char *>(data), size);
    httpsocket_request_end(r);
}

static void put(httpsocket_request *r, void *)
{
    httpsocket_request_read(r, 65536, keep, nullptr);
}

static void get(httpsocket_request *r, void *)
{
    auto found = notes.find(httpsocket_request_param(r, "name"));
    answer(r, found == notes.end() ? 404 : 200, found == notes.end() ? "{}" : found->second);
}

static void remove(httpsocket_request *r, void *)
{
    notes.erase(httpsocket_request_param(r, "name"));
    httpsocket_request_end(r);
}

static void list(httpsocket_request *r, void *)
{
    std::string all = "{";
    for (const auto &note : notes)
        all += (all.size() > 1 ? ",\"" : "\"") + note.first + "\":" + note.second;
    answer(r, 200, all + "}");
}

int main(int argc, char **argv)
{
    char why[200];
    httpsocket_server_options options = {};
    options.size = sizeof(options);
    options.listen = argc > 1 ? argv[1] : "127.0.0.1:8080";
    server = httpsocket_server_new(&options, why, sizeof(why));
    if (!server) {
        std::fprintf(stderr, "notes: %s\n", why);
        return 1;
    }
    httpsocket_server_route(server, "PUT /notes/{name}", put, nullptr);
    httpsocket_server_route(server, "GET /notes/{name}", get, nullptr);
    httpsocket_server_route(server, "DELETE /notes/{name}", remove, nullptr);
    httpsocket_server_route(server, "GET /notes", list, nullptr);
    std::signal(SIGTERM, [](int) { httpsocket_server_stop(server, 5000); });
    std::printf("listening on http://%s\n", httpsocket_server_address(server, 0));
    std::fflush(stdout);
    int error = httpsocket_server_run(server);
    httpsocket_server_free(server);
    return error ? 1 : 0;
}
